"""The text of liberty files: groups and attributes, and where the cells of a file begin.

A library has tens of megabytes and a circuit uses a few dozen cells of it, so cells are found by a search and
parsed one by one when they are asked for.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from simhw.errors import InputError

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CELL = re.compile(r"^[ \t]*cell\s*\(\s*\"?([^\s\")]+)\"?\s*\)\s*\{", re.MULTILINE)
_LIBRARY = re.compile(r"^\s*library\s*\(\s*\"?([^\s\")]*)\"?\s*\)\s*\{", re.MULTILINE)
_AREA = re.compile(r"(\barea\s*:\s*[\d.eE+-]+)[ \t]*;?")
_BRACE = re.compile(r"[{}]")
# A statement: `name : value`, with or without a semicolon; `name (arguments)`, with or without a block; or `}`.
_STATEMENT = re.compile(
    r"[\s;\\]*(?:"
    r"(?P<close>\})"
    r"|(?P<name>[A-Za-z_][\w.]*)[\s\\]*(?:"
    r":[ \t]*(?:\"(?P<text>[^\"]*)\"|(?P<value>[^;\n}]*))"
    r"|\((?P<arguments>(?:\"[^\"]*\"|[^()\"])*)\)[\s\\]*(?P<open>\{)?"
    r"))"
)


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group of a liberty file.

    Attributes:
        kind: its keyword (``cell``, ``pin``, ``timing``).
        arguments: what stands in its parentheses, without quotes.
        attributes: simple and complex attributes by name, as text without quotes; the last of a name counts.
        groups: the groups inside, in order.
    """

    kind: str
    arguments: str
    attributes: dict[str, str] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def of(self, *kinds: str) -> Iterator[Group]:
        """Yield the groups inside of these kinds."""
        return (group for group in self.groups if group.kind in kinds)


@dataclass(frozen=True, kw_only=True)
class LibertyText:
    """One file, with its cells found and not yet parsed.

    Attributes:
        path: of the file.
        name: of the library in it.
        text: without comments.
        spans: begin and end of each cell in ``text``; the end is where the next cell begins.
        header: what stands before the first cell, parsed.
    """

    path: Path
    name: str
    text: str = field(repr=False)
    spans: dict[str, tuple[int, int]] = field(repr=False)
    header: Group = field(repr=False)

    def cell(self, name: str) -> Group:
        """Parse one cell."""
        begin, end = self.spans[name]
        return parse_group(self.text, begin, end, self.path)

    def excerpt(self, names: Collection[str]) -> str:
        """Return the text of a library that has only these cells, and a semicolon behind every area."""
        first = min(begin for begin, _ in self.spans.values())
        kept = [_closed(self.text[begin:end]) for name, (begin, end) in self.spans.items() if name in names]
        return _AREA.sub(r"\1;", "".join([self.text[:first], *kept])) + "}\n"


def read_liberty_text(path: Path) -> LibertyText:
    """Read a liberty file, compressed by gzip or not.

    Raises:
        InputError: the file cannot be read, or is no liberty file with cells.
    """
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"liberty file {path} cannot be read ({reason}); give a .lib or .lib.gz file") from error
    text = _COMMENT.sub("", text)
    library = _LIBRARY.search(text)
    cells = list(_CELL.finditer(text))
    if library is None or not cells:
        missing = "library" if library is None else "cell"
        raise InputError(
            f"{path} has no '{missing} (NAME) {{', so it is no liberty library; give the .lib or .lib.gz file of a "
            "standard-cell library"
        )
    starts = [match.start() for match in cells]
    spans = {
        match.group(1): (start, end) for match, start, end in zip(cells, starts, [*starts[1:], len(text)], strict=True)
    }
    header = parse_group(text, library.start(), starts[0], path)
    return LibertyText(path=path, name=library.group(1), text=text, spans=spans, header=header)


def _closed(text: str) -> str:
    """Return the group that ``text`` begins with, without what follows its closing brace."""
    depth = 0
    for match in _BRACE.finditer(text):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return text[: match.end()] + "\n"
    return text


def parse_group(text: str, begin: int, end: int, path: Path) -> Group:
    """Parse the group that begins at ``begin``; a group that is not closed before ``end`` ends there.

    Raises:
        InputError: something between is neither an attribute nor a group.
    """
    outermost = Group(kind="", arguments="")
    stack = [outermost]
    place = begin
    while place < end:
        match = _STATEMENT.match(text, place, end)
        if match is None:
            if not text[place:end].strip(" \t\r\n;\\"):
                break
            line = text.count("\n", 0, place) + 1
            near = " ".join(text[place : min(place + 60, end)].split())
            raise InputError(
                f"{path} cannot be read near {near!r} (line {line} without comments), every statement of a liberty "
                "file is 'name : value;' or 'name (arguments)'; correct the file"
            )
        place = match.end()
        if match["close"]:
            stack.pop()
            if len(stack) == 1:
                break
            continue
        name, arguments = match["name"], match["arguments"]
        if arguments is None:
            stack[-1].attributes[name] = (match["text"] if match["text"] is not None else match["value"]).strip()
        elif match["open"]:
            group = Group(kind=name, arguments=arguments.replace('"', "").strip())
            stack[-1].groups.append(group)
            stack.append(group)
        else:
            stack[-1].attributes[name] = arguments.replace('"', "").strip()
    return outermost.groups[0]
