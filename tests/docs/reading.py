"""Reading the pages: fenced blocks, tables, headings, links."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)

_FENCE = re.compile(r"^(```|~~~)([^\n`]*)\n(.*?)^\1[ ]*$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: the page, its line, the first word of its info string, the tags behind it, its text."""

    page: Path
    line: int
    language: str
    tags: frozenset[str]
    text: str

    @property
    def name(self):
        return f"{self.page.relative_to(DOCS)}:{self.line}"


def blocks(language, tag=None):
    """All blocks of a language, or those of them with a tag: ```` ```python {test} ````."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in _FENCE.finditer(text):
            word, _, rest = match[2].strip().partition(" ")
            tags = frozenset(rest.strip("{} ").split())
            if word == language and (tag is None or tag in tags):
                found.append(Block(page, text.count("\n", 0, match.start()) + 1, word, tags, match[3]))
    return found


def page(name):
    return (DOCS / name).read_text()


def section(text, heading):
    """What stands below a heading, to the next of its level or above."""
    match = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,6}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"there is no heading {heading!r}"
    level = len(match[1])
    rest = text[match.start() :].split("\n", 1)[1]
    end = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text):
    """The cells of every table row, without heads and rulers."""
    lines = text.splitlines()
    found = []
    for i, line in enumerate(lines):
        after = lines[i + 1] if i + 1 < len(lines) else ""
        if line.startswith("|") and not line.startswith("|---") and not after.startswith("|---"):
            found.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def words(cell):
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def anchors(text):
    """The anchors of a page: its headings as GitHub and myst make them, and explicit labels."""
    body = _FENCE.sub("", text)
    heads = re.findall(r"^#+ (.+)$", body, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
    return slugs | set(re.findall(r"^\((.+)\)=$", body, re.MULTILINE))


def links(text):
    """The targets of all links in a page that lead to other places of this repository."""
    body = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", body) if "://" not in target]
