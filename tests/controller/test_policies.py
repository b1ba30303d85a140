"""Policies that take their time, and people who take theirs."""

import anyio
import pytest
from helpers import SLEEP, until

from procctl import Agent, Controller, Denied, Refused, State, allow, ask, connect, deny, hosts

pytestmark = pytest.mark.anyio


class Slow:
    """A policy that answers when it is told to."""

    def __init__(self, verdict=None):
        self.asked = []
        self.cancelled = 0
        self.go = anyio.Event()
        self.verdict = allow() if verdict is None else verdict

    async def __call__(self, request, fleet):
        self.asked.append((request.name, request.hostname, str(request.caller)))
        try:
            await self.go.wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        return self.verdict


@pytest.fixture(params=["controller", "its own"])
async def made(request, place):
    """Makes an agent whose policies are a controller's, at the other end of a socket, or its own."""
    opened = []

    async def make(*policies):
        if request.param == "its own":
            opened.append(Agent("a", approval=policies))
            return opened[0]
        opened.append(Agent("a", join=f"unix://{place}/c"))
        opened.insert(0, Controller(listen=f"unix://{place}/c", approval=policies))
        return opened[1]

    class Both:
        def __init__(self, *policies):
            self.policies = policies

        async def __aenter__(self):
            agent = await make(*self.policies)
            for one in opened:
                await one.__aenter__()
            return agent

        async def __aexit__(self, *error):
            for one in reversed(opened):
                await one.__aexit__(*error)

    return Both


async def test_a_start_waits_for_a_policy(made):
    policy = Slow()
    async with made(hosts("a"), policy) as agent:
        async with anyio.create_task_group() as group:
            group.start_soon(agent.start, "web", SLEEP)
            await until(lambda: policy.asked)
            item = (await agent.process("web")).item
            assert (item.state, item.detail, policy.asked) == ("pending", "asking", [("web", "a", "local")])
            assert (await agent.info()).processes == 1  # nobody else waits
            policy.go.set()
        assert (await agent.process("web")).state == State.RUNNING


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ([Slow(deny("not today"))], "not today"),
        ([Slow("yes")], "answered 'yes', which is no decision"),
        ([hosts("b"), Slow()], "a is not among b"),
        ([lambda request, fleet: 1 / 0, Slow()], "failed: ZeroDivisionError"),
    ],
)
async def test_what_policies_that_take_their_time_refuse(made, policies, said):
    for policy in policies:
        if isinstance(policy, Slow):
            policy.go = anyio.Event()
            policy.go.set()
    async with made(*policies) as agent:
        with pytest.raises(Denied, match=said):
            await agent.start("web", SLEEP)


async def test_a_policy_that_breaks_is_a_refusal_that_says_so(made):
    async def broken(request, fleet):
        await anyio.sleep(0)
        raise OSError("no such database")

    async with made(broken) as agent:
        with pytest.raises(Denied, match=r"the policy .*broken failed: OSError\('no such database'\)"):
            await agent.start("web", SLEEP)
        assert (await agent.info()).processes == 1


async def test_the_first_opinion_counts_in_their_order(made):
    said = []

    async def first(request, fleet):
        said.append("first")

    def second(request, fleet):
        said.append("second")
        return allow()

    async def third(request, fleet):
        said.append("third")

    async with made(first, second, third) as agent:
        await agent.start("web", SLEEP)
    assert said == ["first", "second"]


async def test_a_stop_calls_a_question_off(made):
    policy = Slow()
    async with made(policy) as agent:
        async with anyio.create_task_group() as group:

            async def start():
                with pytest.raises(Refused) as caught:
                    await agent.start("web", SLEEP)
                assert caught.value.code == "superseded"

            group.start_soon(start)
            await until(lambda: policy.asked)
            await agent.stop("web")
        await until(lambda: policy.cancelled == 1)
        policy.go.set()
        assert (await agent.process("web")).item.detail == "registered"
        await agent.start("web")
        assert len(policy.asked) == 2


async def test_a_policy_asks_a_person_and_is_not_asked_again(made):
    policy = Slow(ask("1h"))
    policy.go.set()
    async with made(policy) as agent:
        with pytest.raises(Denied) as caught:
            await agent.start("web", SLEEP)
        assert caught.value.code == "approval-pending"
        (approval,) = await agent.approvals() if agent._join is None else await _above(agent)
        left = approval.until - approval.since
        assert 3590 < left < 3610
        async with connect(agent._join) if agent._join else _itself(agent) as fleet:
            await fleet.approve(approval.approval)
        await agent.wait("web", until="running")
    assert len(policy.asked) == 1


async def _above(agent):
    async with connect(agent._join) as fleet:
        return await fleet.approvals()


class _itself:
    def __init__(self, agent):
        self.agent = agent

    async def __aenter__(self):
        return self.agent

    async def __aexit__(self, *_):
        pass


async def test_a_link_that_is_lost_meanwhile_asks_a_policy_once(place):
    policy = Slow()
    url = f"unix://{place}/c"
    async with Controller(listen=url, approval=[policy]) as controller, Agent("a", join=url) as agent:
        async with anyio.create_task_group() as group:
            group.start_soon(agent.start, "web", SLEEP)
            await until(lambda: policy.asked)
            link = controller._links["a"]
            link.session.end("a test has cut it")
            await until(lambda: controller._links.get("a") not in (None, link))
            policy.go.set()
        assert (await agent.process("web")).state == State.RUNNING
    assert (len(policy.asked), policy.cancelled) == (1, 0)


async def test_a_person_who_does_not_answer_in_time_has_denied_it(place):
    url = f"unix://{place}/c"
    async with (
        Controller(listen=url, approval=[lambda request, fleet: ask(within=0.2)]),
        Agent("a", join=url) as agent,
    ):
        with pytest.raises(Denied) as caught:
            await agent.start("web", SLEEP)
        assert caught.value.code == "approval-pending"
        await agent.wait("web", until="stopped")
        item = (await agent.process("web")).item
        assert (item.detail, item.why.text) == ("denied", "nobody answered in time")
