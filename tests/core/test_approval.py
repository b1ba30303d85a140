"""May this run? Modes, scopes, policies, at one moment."""

from functools import partial
from itertools import product

import pytest

from procctl.core.approval import (
    Allow,
    Ask,
    Deny,
    Displace,
    allow,
    ask,
    check_policies,
    decide,
    deny,
    displace,
    effective_mode,
    hosts,
    rule,
    takes_time,
)
from procctl.core.registry import Registry
from procctl.errors import BadConfig

from .asking import lease, question
from .knowing import registry, up

VIEW = Registry()


def decided(mode="one", held=(), *policies, **more):
    return decide(question("r", mode=mode, **more), held, policies, VIEW)


def in_the_way(holder):
    """The denial because of that lease."""
    host = holder.hostname
    way = f"make sure that nothing runs there, then procctl free web --host {host}"
    lost = f"{host} is not heard: if it is lost for good, {way}"
    return Deny(f"web runs on {host}; {lost}", holder)


# modes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["many", "one", "force"])
def test_the_first_may_run(mode):
    assert Allow(mode) == decided(mode)


def test_any_number_of_many_may_run():
    assert Allow("many") == decided("many", [lease(1, mode="many"), lease(2, mode="many")])


@pytest.mark.parametrize(("mode", "holder"), [("one", "one"), ("one", "many"), ("many", "one"), ("many", "force")])
def test_where_one_of_the_two_wants_to_be_alone_the_second_may_not_run(mode, holder):
    held = lease(1, hostname="b", mode=holder)
    assert in_the_way(held) == decided(mode, [held])


def test_who_stands_in_the_way_is_told_with_its_pid_where_it_is_known():
    held = lease(7, at=1000.0)
    view = registry(a=[up(uuid="uuid-7", pid=41), up("web", uuid="other", pid=42)])
    why = "web runs on a (pid 41) since 1970-01-01T00:16:40Z"
    assert Deny(why, held) == decide(question("r"), [held], (), view)


def test_of_many_the_one_that_stands_in_the_way_is_named():
    guard = lease(2, hostname="c", mode="one")
    assert in_the_way(guard) == decided("many", [lease(1, hostname="b", mode="many"), guard])


@pytest.mark.parametrize("holder", ["many", "one", "force"])
def test_force_displaces_all_others(holder):
    held = (lease(1, mode=holder), lease(2, hostname="b", mode=holder))
    assert Displace(held) == decided("force", held)


def test_other_slots_do_not_count():
    assert Allow("one") == decided("one", [lease(1, slot="web.1"), lease(2, slot="api")])


def test_its_own_lease_does_not_stand_in_its_way():
    assert Allow("one") == decided("one", [lease(1)], uuid="uuid-1")


def test_the_same_uuid_on_another_host_is_another_process():
    held = lease(1, hostname="b")
    assert in_the_way(held) == decided("one", [held], uuid="uuid-1")


# scope ------------------------------------------------------------------------------------------------------------


def test_within_the_scope_of_a_host_other_hosts_do_not_count():
    assert decided("one", [lease(1, hostname="b", scope="host")], scope="host") == Allow("one")
    assert decided("one", [lease(1, hostname="b", mode="many")], scope="host") == Allow("one")


def test_within_the_scope_of_a_host_its_own_others_count():
    held = lease(1, scope="host")
    assert in_the_way(held) == decided("one", [held], scope="host")
    assert Displace((held,)) == decided("force", [held, lease(2, hostname="b", scope="host")], scope="host")


def test_who_is_alone_in_the_fleet_counts_within_every_scope():
    held = lease(1, hostname="b", scope="fleet")
    assert in_the_way(held) == decided("one", [held], scope="host")
    assert Displace((held,)) == decided("force", [held], scope="host")


# the stricter of two ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "asked", "mode"),
    [
        (None, "many", "many"),
        (None, "one", "one"),
        (None, "force", "force"),
        ("many", "many", "many"),
        ("many", "one", "one"),
        ("many", "force", "one"),
        ("one", "many", "one"),
        ("one", "one", "one"),
        ("one", "force", "one"),
        ("force", "many", "force"),
        ("force", "one", "one"),
        ("force", "force", "force"),
    ],
)
def test_a_policy_fixes_the_mode_and_a_request_may_be_stricter(policy, asked, mode):
    assert mode == effective_mode(policy, asked)


def test_a_mode_is_never_laxer_than_its_policy():
    modes = ("many", "one", "force")
    assert {"many"} == {p for p, asked in product(modes, modes) if effective_mode(p, asked) == "many"}


# policies ---------------------------------------------------------------------------------------------------------


def saying(verdict):
    return lambda request, fleet: verdict


def test_the_first_opinion_counts():
    assert Deny("no") == decided("one", (), saying(None), saying(deny("no")), saying(allow()))
    assert Allow("one") == decided("one", (), saying(allow()), saying(deny("no")))


def test_without_an_opinion_it_is_allowed():
    assert Allow("one") == decided("one", (), saying(None))


def test_a_policy_is_given_the_question_and_the_fleet():
    seen = []
    decided("one", (), lambda request, fleet: seen.append((request.name, request.slot, fleet)))
    assert seen == [("web", "web", VIEW)]


def test_an_allowance_is_subject_to_the_mode():
    held = lease(1, hostname="b")
    assert in_the_way(held) == decided("one", [held], saying(allow()))


def test_a_policy_may_have_others_displaced():
    held = (lease(1, hostname="b"),)
    assert Displace(held) == decided("many", held, saying(displace()))
    assert Allow() == decided("many", (), saying(displace()))


def test_a_policy_may_ask_a_person():
    assert Ask(60.0) == decided("one", (), saying(ask(60.0)))


def test_a_person_is_not_asked_what_the_mode_forbids():
    held = lease(1, hostname="b")
    assert in_the_way(held) == decided("one", [held], saying(ask()))


def test_a_person_is_asked_before_others_are_displaced():
    assert Ask() == decided("force", [lease(1, hostname="b")], saying(ask()))


def test_a_policy_that_fails_denies():
    def broken(request, fleet):
        raise ValueError("oh")

    verdict = decided("one", (), broken, saying(allow()))
    assert isinstance(verdict, Deny)
    assert verdict.why.endswith("broken failed: ValueError('oh')")


@pytest.mark.parametrize("garbage", [True, "allow", 0, Allow, object])
def test_a_policy_that_answers_garbage_denies(garbage):
    verdict = decided("one", (), saying(garbage))
    assert isinstance(verdict, Deny)
    assert verdict.why.endswith(f"answered {garbage!r}, which is no decision")


# hosts ------------------------------------------------------------------------------------------------------------


def test_hosts_that_match_are_left_to_other_policies():
    policy = hosts("sub.*.example.com", "local.foo")
    for name in ("sub.x.example.com", "local.foo"):
        assert policy(question("r", hostname=name), VIEW) is None


def test_other_hosts_are_denied():
    policy = hosts("sub.*.example.com", "local.foo")
    why = "host sub.a.b.example.com is not among sub.*.example.com, local.foo"
    assert Deny(why) == policy(question("r", hostname="sub.a.b.example.com"), VIEW)


# rules of the configuration ---------------------------------------------------------------------------------------


def test_a_rule_is_for_the_names_that_it_matches():
    assert rule("*Worker", approve="deny")(question("r", slot="web"), VIEW) is None
    assert Deny("the policy for *Worker denies it") == rule("*Worker", approve="deny")(
        question("r", slot="emailWorker"), VIEW
    )


def test_a_rule_denies_other_hosts():
    verdict = rule(hosts=["*.example.com"])(question("r", hostname="b"), VIEW)
    assert Deny("host b is not among *.example.com") == verdict


def test_a_rule_fixes_the_mode():
    held = lease(1, hostname="b", mode="many")
    assert in_the_way(held) == decided("many", [held], rule(mode="one"))
    assert Allow("one") == decided("many", (), rule(mode="one"))


def test_a_rule_may_ask_a_person():
    assert Ask(600.0, "one") == rule(mode="one", approve="ask", within=600.0)(question("r"), VIEW)


def test_a_rule_without_conditions_allows():
    assert Allow() == rule()(question("r"), VIEW)


# what is no policy ------------------------------------------------------------------------------------------------


async def later(request, fleet):
    return allow()


class Later:
    async def __call__(self, request, fleet):
        return allow()


def test_functions_are_policies_also_those_that_take_their_time():
    policies = [hosts("*"), saying(None), later, Later(), partial(later)]
    assert tuple(policies) == check_policies(policies)
    assert [takes_time(policy) for policy in policies] == [False, False, True, True, True]


@pytest.mark.parametrize("policy", ["allow", None])
def test_what_is_no_function_is_refused(policy):
    with pytest.raises(BadConfig, match="is no function"):
        check_policies([policy])


@pytest.mark.parametrize(("within", "seconds"), [(None, None), (5, 5.0), (0.5, 0.5), ("10m", 600.0), ("1m30s", 90.0)])
def test_a_persons_time_is_given_with_units_too(within, seconds):
    assert Ask(seconds) == ask(within)


@pytest.mark.parametrize("within", ["soon", "", -1])
def test_what_is_no_time(within):
    with pytest.raises(BadConfig, match="is no duration"):
        ask(within)
