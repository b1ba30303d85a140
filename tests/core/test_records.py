"""Small values: how an end is described, who asks, what states are called, errors that travel."""

import copy
import pickle

import pytest
from attrs import evolve

from procctl import errors
from procctl.core.messages import REQUESTS, RESERVED, Add, Restart, Start, Target
from procctl.core.records import ExitRecord
from procctl.core.restart import Again
from procctl.core.rights import LOCAL, Caller
from procctl.core.specs import ProcessSpec, StopSpec
from procctl.core.states import Phase, State

P = Phase

# ends -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "signal", "text", "failed"),
    [
        (0, None, "exited with 0", False),
        (3, None, "exited with 3", True),
        (None, "SIGKILL", "killed by SIGKILL", True),
        (None, None, "ended, and the kernel could not tell how", True),
    ],
)
def test_an_end_in_one_phrase(code, signal, text, failed):
    record = ExitRecord(code=code, signal=signal, at=0.0, uptime=1.0)
    assert (text, failed) == (record.describe(), record.failed)


def test_one_that_was_killed_for_want_of_memory():
    record = ExitRecord(code=None, signal="SIGKILL", at=0.0, uptime=1.0, oom=True)
    assert record.describe() == "killed by SIGKILL: out of memory"


def test_the_grace_of_a_stop_is_the_sum_of_its_waits():
    assert (StopSpec(steps=(("SIGINT", 5.0), ("SIGTERM", 10.0))).grace, StopSpec(steps=()).grace) == (15.0, 0)


# states -----------------------------------------------------------------------------------------------------------


def test_states_have_the_integers_of_the_status_document():
    words = {"stopped": 0, "running": 1, "pending": 2, "notstarted": 3, "notresponding": 4}
    assert words == {state.word: int(state) for state in State}


@pytest.mark.parametrize(
    ("state", "phases"),
    [
        (State.STOPPED, {P.EXITED, P.FAILED, P.IDLE, P.DETACHED}),
        (State.RUNNING, {P.UP}),
        (State.NOTSTARTED, {P.REGISTERED, P.DENIED}),
        (State.PENDING, set(P) - {P.EXITED, P.FAILED, P.IDLE, P.DETACHED, P.UP, P.REGISTERED, P.DENIED}),
        (State.NOTRESPONDING, set()),
    ],
)
def test_a_state_is_a_view_of_phases(state, phases):
    assert phases == {phase for phase in P if phase.state is state}


# who asks ---------------------------------------------------------------------------------------------------------


def test_an_owner_has_every_role():
    assert (LOCAL.has("ops"), LOCAL.has("owner")) == (True, True)


def test_others_have_the_roles_that_they_were_given():
    ann = Caller(name="ann", roles=frozenset({"viewer"}))
    assert (ann.has("viewer"), ann.has("operator")) == (True, False)


def test_a_caller_is_called_by_whom_it_speaks_for():
    assert (str(Caller(name="ann")), str(Caller(name="ann", on_behalf="bob"))) == ("ann", "bob")


# equality ---------------------------------------------------------------------------------------------------------


def test_values_are_equal_by_their_fields_and_their_class():
    assert Start(name="web") == Start(name="web")
    assert Start(name="web") != Start(name="api")
    assert Start(name="web") != Target(name="web")
    assert Again(1.0, 1, ()) != (1.0, 1, ())


def test_equal_values_are_one_in_a_set():
    assert len({Start(name="web"), Start(name="web"), Start(name="api"), Restart(name="web")}) == 3


def test_specs_have_a_hash_although_they_hold_mappings():
    spec = ProcessSpec(name="web", command=("web",), env={"A": "b"}, depends_on={"db": "ready"})
    assert hash(spec) == hash(evolve(spec))


def test_values_show_their_fields():
    assert repr(Again(1.0, 2, ())) == "Again(after=1.0, tries=2, history=())"


# requests ---------------------------------------------------------------------------------------------------------


def test_the_envelopes_names_are_no_fields_of_requests():
    assert set() == RESERVED & {field for cls in REQUESTS.values() for field in cls.__slots__}


def test_every_verb_leads_to_its_class():
    assert all(verb == cls.command for verb, cls in REQUESTS.items())


def test_only_an_empty_target_means_everything():
    assert Target().everything is True
    for target in (Target(hostname="*"), Target(uuid="x"), Target(name="x"), Target(group="x"), Start(name="web")):
        assert target.everything is False


def test_messages_do_not_change():
    request = Add(spec=ProcessSpec(name="web", command=("web",)))
    with pytest.raises(AttributeError):
        request.start = False


# errors -----------------------------------------------------------------------------------------------------------

SAMPLES = [
    errors.ProcctlError("it broke", "mend it"),
    errors.Refused("bad-spec", "no", "try this"),
    errors.NoSuchTarget("no-such-target", "no process 'x'", "did you mean 'y'?"),
    errors.Denied("denied", "web runs on b"),
    errors.TimedOut("timeout", "still starting"),
    errors.Failed("two of three", (("web", "denied", "no"),), "procctl why web"),
    errors.PeerGone("gone"),
    errors.PermitLost("stopped", "over", "ask anew"),
    errors.Closed("closed"),
    errors.BadMessage("expected int, got str", "$.pid"),
    errors.BadConfig("no such key", "did you mean 'x'?"),
    errors.Unsupported("no pidfd"),
    errors.IllegalEvent("web: no"),
    errors.InternalError("a defect"),
]


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("travel", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy], ids=["pickle", "copy"])
def test_errors_can_travel(travel, error):
    there = travel(error)
    assert (type(error), str(error), vars(error)) == (type(there), str(there), vars(there))


def test_every_error_has_a_sample_here():
    public = {getattr(errors, name) for name in errors.__all__} - {errors.refusal}
    assert {type(error) for error in SAMPLES} == public


def test_an_error_ends_with_its_hint():
    assert str(errors.Refused("bad-spec", "no", "try this")) == "no (try this)"
    assert str(errors.PeerGone("gone")) == "gone"


def test_a_bad_message_names_the_path():
    assert str(errors.BadMessage("expected int, got str", "$.pid")) == "expected int, got str at $.pid"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("no-such-target", errors.NoSuchTarget),
        ("denied", errors.Denied),
        ("approval-pending", errors.Denied),
        ("timeout", errors.TimedOut),
        ("peer-gone", errors.PeerGone),
        ("anything-else", errors.Refused),
    ],
)
def test_a_code_is_an_exception_again(code, kind):
    error = errors.refusal(code, "no", "try this")
    assert (kind, "no", "try this") == (type(error), error.message, error.hint)
    assert code == getattr(error, "code", "peer-gone")
