"""Questions that are with policies that take their time, in front of a door that notes what comes."""

import anyio
import pytest

from procctl.abc import Caller, Pending
from procctl.core.approval import Allow, Deny, allow, deny
from procctl.core.messages import Approvals, Grant, Inbox, LeaseWithdraw, Permit
from procctl.core.registry import Registry
from procctl.link import consultant
from procctl.link.consultant import Consultant
from procctl.link.doorkeeper import question_of

pytestmark = pytest.mark.anyio

ANN = Caller(name="ann")


def permit(rid="a/1", hostname="a"):
    return Permit(rid=rid, slot="web", uuid="u", hostname=hostname, mode="many")


class Desk:
    """A consultant in front of a door that grants everything."""

    def __init__(self, group, *policies):
        self.passed = []
        self.consultant = Consultant(policies, Registry(), group.start_soon).before(self)

    def submit(self, request, caller, epoch="", hostname=""):
        self.passed.append(request)
        return Pending.of(Inbox() if isinstance(request, Approvals) else Grant(token=len(self.passed)))

    def ask(self, request, epoch="e1"):
        return self.consultant.submit(request, ANN, epoch)

    def opinion(self, request):
        (policy,) = self.consultant.policies
        return policy(question_of(request, ANN), Registry())


@pytest.fixture
async def group():
    async with anyio.create_task_group() as made:
        yield made
        made.cancel_scope.cancel()


async def never(request, fleet):
    await anyio.sleep_forever()


async def test_plain_policies_go_to_the_gate_itself(group):
    def plain(request, fleet):
        return allow()

    desk = Desk(group, plain)
    assert (desk.consultant.policies, desk.ask(permit()).reply) == ((plain,), Grant(token=1))


async def test_the_gate_hears_what_they_said(group):
    async def wise(request, fleet):
        return deny(f"{request.name} for {request.caller}")

    desk = Desk(group, wise)
    pending = desk.ask(permit())
    assert (pending.reply, desk.passed) == (None, [])
    assert (await pending.wait(), desk.passed) == (Grant(token=1), [permit()])
    assert desk.opinion(permit()) == Deny("web for ann")
    assert desk.ask(permit()).reply == Grant(token=2)  # it is known already


async def test_everything_else_passes(group):
    desk = Desk(group, never)
    assert isinstance(desk.ask(Approvals()).reply, Inbox)


async def test_who_asks_again_takes_over(group):
    go = anyio.Event()

    async def patient(request, fleet):
        await go.wait()
        return allow()

    desk = Desk(group, patient)
    first, second = desk.ask(permit()), desk.ask(permit())
    go.set()
    assert await second.wait() == Grant(token=1)
    assert (first.reply, len(desk.passed)) == (None, 1)


@pytest.mark.parametrize("begun", [True, False])
async def test_what_is_withdrawn_is_cancelled_and_goes_no_further(group, begun):
    ended = []

    async def policy(request, fleet):
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(request.rid)

    desk = Desk(group, policy)
    desk.ask(permit())
    if begun:
        await anyio.wait_all_tasks_blocked()
    desk.ask(LeaseWithdraw(rid="a/1"))
    await anyio.wait_all_tasks_blocked()
    assert (ended, desk.passed) == (["a/1"] if begun else ended, [LeaseWithdraw(rid="a/1")])


async def test_what_another_run_of_an_agent_has_asked_is_called_off(group):
    desk = Desk(group, never)
    for epoch in ("e1", "e2"):
        desk.ask(permit(), epoch)
        desk.ask(permit("b/1", "b"), epoch)
    desk.consultant.gone("a", "e2")
    await anyio.wait_all_tasks_blocked()
    assert sorted(desk.consultant._open) == [("a/1", "e2"), ("b/1", "e1"), ("b/1", "e2")]


async def test_opinions_are_remembered_up_to_a_bound(group, monkeypatch):
    monkeypatch.setattr(consultant, "REMEMBERED", 2)

    async def policy(request, fleet):
        return allow()

    desk = Desk(group, policy)
    for n in range(4):
        await desk.ask(permit(f"a/{n}")).wait()
    assert [desk.opinion(permit(f"a/{n}")) for n in range(4)] == [None, None, Allow(), Allow()]
