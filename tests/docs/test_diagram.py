"""The diagram and the table show what the code's table says: all of it, and nothing else."""

import sys
import xml.etree.ElementTree as ET

import pytest

from procctl.core.states import IGNORE, TABLE, Phase

from .reading import DOCS


@pytest.fixture
def diagram(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import diagram

    yield diagram
    del sys.modules["diagram"]


def test_every_transition_is_in_one_arrow(diagram):
    drawn = [
        (source, event, target)
        for arrow in diagram.arrows()
        for event in arrow.events
        for source in arrow.source
        for target in arrow.target
    ]
    wanted = [
        (phase, event.__name__, target) for phase in Phase for event, cell in TABLE[phase].items() for target in cell
    ]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == set(wanted)


def test_every_phase_has_a_place_and_every_route_an_arrow(diagram):
    assert set(diagram.PLACES) == set(Phase)
    assert set(diagram.ROUTES) <= {(arrow.source, arrow.target) for arrow in diagram.arrows()}


def test_an_arrow_without_a_route_is_straight(diagram):
    arrow = diagram.Arrow(frozenset({Phase.UP}), frozenset({Phase.DENIED}), ("Event",))
    points, label = diagram.route_of(arrow)
    assert len(points) == 2
    assert points[1][0] < label[0] < points[0][0]


def test_the_picture_is_well_formed(diagram):
    root = ET.fromstring(diagram.svg())
    names = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {phase.detail for phase in Phase} <= names


def test_the_table_has_every_cell(diagram):
    root = ET.fromstring(diagram.table().replace("<br>", "<br/>"))
    events = {row.find("th/code").text: row.findall("td") for row in root.iter("tr") if row.find("th/code") is not None}
    assert set(events) == {event.__name__ for row in TABLE.values() for event in row}
    for event, cells in events.items():
        for phase, cell in zip(Phase, cells, strict=True):
            known = {kind.__name__: to for kind, to in TABLE[phase].items()}.get(event)
            text = set("".join(f" {part} " for part in cell.itertext()).split())
            assert text == ({"\u00d7"} if known is None else {"·"} if known == IGNORE else {p.detail for p in known})
