"""Sphinx: ``sphinx-build -W -b html docs out``. See CONTRIBUTING.md."""

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from procctl.version import __version__  # noqa: E402

project = "procctl"
author = "The procctl authors"
copyright = "The procctl authors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "phases"]
exclude_patterns = ["_ext", "_build"]

html_theme = "furo"
html_title = f"procctl {release}"
html_static_path = ["_static"]
html_css_files = ["phases.css"]
html_theme_options = {"footer_icons": []}

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]

# What stands in single backticks in a docstring is a name of the API where there is one, else plain code.
default_role = "py:obj"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = [("Cancellation", "notes"), ("Yields", "returns_style")]

nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", r".*"),  # arguments and other words in backticks, see default_role
    ("py:class", r"(collections|contextlib|os|socket|types|typing)\..*"),  # the standard library has pages of its own
]
nitpick_ignore = [
    ("py:class", name)  # unions and aliases of the code; the pages say what they stand for
    for name in (
        *("AnyReply", "AnyRequest", "AnyStream", "Items", "Joinable", "OnExit", "Policy", "Until"),
        *("Level", "Mode", "Scope"),
    )
] + [("py:class", "procctl.core.leases.Lease"), ("py:class", "procctl.testing.promises.Promise")]
nitpick_ignore += [("py:class", "procctl.core.auth._PathLike"), ("py:class", "procctl.child.wire.Wire")]
nitpick_ignore += [("py:class", f"procctl.agent.{name}") for name in ("permit._Requests", "blocking.BlockingPermit")]
nitpick_ignore += [("py:class", f"procctl.{name}") for name in ("core.events.Event", "core.terms.Terms")]
nitpick_ignore += [("py:class", f"procctl.testing.virtual.{name}") for name in ("child.Place", "time.T")]

_MADE_BY_PROCCTL = {
    "procctl.Fleet",
    "procctl.Line",
    "procctl.Permit",
    "procctl.Process",
    "procctl.sync.Fleet",
    "procctl.sync.Process",
}
_UNTIL = "Literal['accepted', 'settled', 'running', 'ready', 'stopped', 'exit']"


def _signature(
    app: Any, what: str, name: str, thing: object, options: object, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """As users see it: no private arguments, not how handles are made, blocks as blocks, a name for a long type."""
    if name in _MADE_BY_PROCCTL:
        return "", returned
    if signature is not None:
        signature = re.sub(r", _\w+: [^,)]*", "", signature).replace(_UNTIL, "Until").replace("NOTHING", "{}")
    if returned is not None and returned.startswith("AsyncGenerator["):
        returned = returned.replace("AsyncGenerator", "AbstractAsyncContextManager", 1)
    return signature, returned


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("autodoc-process-signature", _signature)
