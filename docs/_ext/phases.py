"""Sphinx directives ``phase-diagram`` and ``phase-table``: the table in the code, drawn when the pages are built."""

from __future__ import annotations

from typing import Any

import diagram
from docutils import nodes
from docutils.parsers.rst import Directive

from procctl.core import states


class _Raw(Directive):
    """Puts HTML on the page; built anew when the table changes."""

    def run(self) -> list[nodes.Node]:
        environment = self.state.document.settings.env
        for source in (states.__file__, diagram.__file__):
            environment.note_dependency(source)
        return [nodes.raw("", self.html(), format="html")]

    def html(self) -> str:
        raise NotImplementedError


class PhaseDiagram(_Raw):
    """The diagram."""

    def html(self) -> str:
        return diagram.svg()


class PhaseTable(_Raw):
    """The table."""

    def html(self) -> str:
        return diagram.table()


def setup(app: Any) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_directive("phase-diagram", PhaseDiagram)
    app.add_directive("phase-table", PhaseTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
