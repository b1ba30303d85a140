"""A kit that finds nothing proves nothing: each broken transport is found, and the promise that it breaks is named."""

import math
import os

import pytest

from procctl.testing import BrokenPromise, Promise, check_transport
from procctl.transports.memory import MemoryTransport

from . import mutants, outages

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(120)]


async def broken(transport, place, **options):
    """Which promise the kit finds broken, and how it says so."""
    with pytest.raises(BrokenPromise) as caught:
        url = "memory:mutant" if transport.traits.in_process else f"unix://{place}/s"
        patience = 1.5 if transport.traits.in_process else 4.0
        await check_transport(transport, url, **{"patience": patience, "heartbeat": 0.1, **options})
    return caught.value.promise, str(caught.value)


@pytest.fixture(autouse=True)
def nothing_left_of_a_mutant():
    yield
    while mutants.LEFT:
        os.close(mutants.LEFT.pop())


BACKENDS = ("asyncio", "trio")
EACH = [
    pytest.param(kind, backend, id=f"{kind.__name__}-{backend}")
    for i, kind in enumerate(mutants.MUTANTS)
    for backend in (BACKENDS if os.environ.get("PROCCTL_KIT") == "all" else (BACKENDS[i % 2],))
]
"""Each on one backend, in turn; on both in ``nox -s kit``: they take their time."""


@pytest.mark.parametrize(("kind", "anyio_backend"), EACH)
async def test_a_broken_transport_is_found(kind, place):
    promise, text = await broken(kind(), place)
    assert promise is mutants.MUTANTS[kind], text


async def test_what_it_says_names_the_promise_and_what_was_seen(place):
    _, text = await broken(mutants.by_name("Swaps"), place)
    assert text == (
        "ORDERED: frames arrive in the order of sending. Seen: from the peer: there:50 came where there:49 was due"
    )


async def test_buffering_without_bound(place, monkeypatch):
    monkeypatch.setattr("procctl.link.pair._IN_FLIGHT", math.inf)
    assert (await broken(MemoryTransport(), place))[0] is Promise.HELD_BACK


async def test_another_identity_than_expected(place):
    promise, text = await broken(MemoryTransport(), place, identity="uid:1000")
    assert (promise, "expected uid:1000" in text) == (Promise.PROVEN, True)


async def test_a_transport_that_another_process_cannot_import():
    class Local(mutants.Unix):
        pass

    with pytest.raises(ValueError, match="say make='module:name'"):
        await check_transport(Local(), "unix:///nowhere")


@pytest.mark.parametrize(
    ("kind", "promise"), [(outages.Loses, Promise.KEPT), (outages.Silent, Promise.SUSPENDS)], ids=["loses", "silent"]
)
async def test_outages(kind, promise, place):
    found, _ = await broken(outages.suspending(kind), place, patience=0.5, outage=kind.between.outage)
    assert found is promise


async def test_an_outage_that_is_lived_through():
    transport = outages.suspending(outages.Waits)
    report = await check_transport(transport, "memory:outage", heartbeat=0.1, outage=outages.Waits.between.outage)
    assert Promise.SUSPENDS in report.kept


def test_every_promise_is_broken_by_somebody():
    assert {*mutants.MUTANTS.values(), Promise.HELD_BACK, Promise.SUSPENDS} == {*Promise}
