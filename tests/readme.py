"""The README: its sections, tables and sessions, and what of it follows from the program.

A block marked `toml` that begins with `# NAME.toml` is a file of that name.  A block marked
`console` is a session: its commands run in bash, one after the other and in the order of the
README, beside these files and `traces/`.  What they print is rewritten by

    python -m tests.readme --bless

and so are the tables and figures in `GENERATED` and `FIGURES`.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Final

from attrs import frozen

from irqsim.kernel.costs import COSTS
from irqsim.scenario.later import LATER
from irqsim.units import format_ns
from tests import golden
from tests.command_line import ROOT, shell
from tests.reality import reference_folder
from tests.test_captures import RECORDED, TOLD
from tests.test_oracle import OTHER_LETTERS, OTHER_ORDER, scenarios

PLACE: Final = ROOT / "README.md"
USAGE: Final = "usage: python -m tests.readme --bless"

_BLOCK: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SESSION: Final = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_FILE: Final = re.compile(r"^```toml\n# (\S+\.toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND: Final = re.compile(r"^\$ (.*)\n", re.MULTILINE)
_HEADING: Final = re.compile(r"^(#+) (.*)$", re.MULTILINE)
_BODY: Final = re.compile(r"(?<=--- \|\n)(?:\|.*\n)*")

Rows = list[list[str]]


def read() -> str:
    """The README."""
    return PLACE.read_text(encoding="utf-8")


def code(cell: str) -> list[str]:
    """What is set as code in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def section(text: str, words: str) -> str:
    """What stands below the heading that has these words, up to the next one of its level."""
    start, end = _span(text, words)
    return _BLOCK.sub("", text[start:end])


def rows(text: str) -> Rows:
    """The cells of every row of the tables in a text, without their heads."""
    found: Rows = []
    for line in text.splitlines():
        if re.fullmatch(r"\|[ |:-]+\|", line):
            found.pop()
        elif line.startswith("|"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def _span(text: str, words: str) -> tuple[int, int]:
    blocks = [block.span() for block in _BLOCK.finditer(text)]
    headings = [
        found
        for found in _HEADING.finditer(text)
        if not any(start < found.start() < end for start, end in blocks)
    ]
    meant = [found for found in headings if words in found[2]]
    assert len(meant) == 1, f"{len(meant)} headings with {words!r}"
    for other in headings:
        if other.start() > meant[0].start() and len(other[1]) <= len(meant[0][1]):
            return meant[0].start(), other.start()
    return meant[0].start(), len(text)


# -- notes in the source -------------------------------------------------------------------


@frozen
class Note:
    """A remark of a kind in a module, and the function that it stands in."""

    module: str
    function: str
    text: str


def notes(mark: str) -> Iterator[Note]:
    """All notes that begin with a mark, by module and in the order of its lines."""
    for place in sorted((ROOT / "irqsim").rglob("*.py")):
        lines = place.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            head, found, tail = line.partition(mark)
            if found:
                module = place.relative_to(ROOT / "irqsim").as_posix()
                words = [tail, *_continuation(lines[number + 1 :], line)]
                text = " ".join(word.strip(' #"') for word in words).strip().rstrip(".")
                text = re.sub("  +", " ", text).replace("``", "`").replace("|", "/")
                yield Note(module, _function(lines[:number], head), text)


def _continuation(lines: list[str], first: str) -> Iterator[str]:
    """The lines that a note goes on for: to the end of its paragraph, docstring or comment."""
    is_comment = first.lstrip().startswith("#")
    for line in (first, *lines):
        text = line.strip()
        if line is not first:
            if not text.strip('"') or text.startswith("#") is not is_comment:
                return
            if re.match(r"[A-Z]\w+: ", text):
                return
            yield text
        if text.endswith('"""'):
            return


def _function(before: list[str], head: str) -> str:
    """The function whose docstring or body a line stands in; nothing for a module's."""
    indent = len(head) - len(head.lstrip())
    for line in reversed(before):
        found = re.match(r"( *)(?:def|class) (\w+)", line)
        if found and len(found[1]) < indent:
            return found[2]
    return ""


# -- what is generated ---------------------------------------------------------------------


def note_rows(mark: str) -> Rows:
    """A row for each note."""
    found = []
    for note in notes(mark):
        function = f", `{note.function}`" if note.function else ""
        found.append([f"`{note.module}`{function}", note.text])
    return found


def cost_rows() -> Rows:
    """A row for each cost."""
    return [[f"`{each.name}`", f'`"{format_ns(each.default_ns)}"`', each.what] for each in COSTS]


def difference_rows() -> Rows:
    """A row for each scenario that the real kernel is known to run otherwise."""
    letters = {name: f"{reason} (flag columns only)" for name, reason in OTHER_LETTERS.items()}
    return [[f"`{name}`", reason] for name, reason in {**OTHER_ORDER, **letters}.items()]


def refused_rows() -> Rows:
    """A row for each thing that the language has and the simulation has not."""
    found: dict[str, list[str]] = {}
    for row in LATER:
        values = [value for value in row.values or () if value is not True]
        written = "".join(f" = {json.dumps(value)}" for value in values[:1])
        others = "".join(f", {json.dumps(value)}" for value in values[1:])
        found.setdefault(row.what, []).append(f"`{row.match}{written}{others}`")
    return [[what, ", ".join(keys)] for what, keys in found.items()]


def scenario_rows() -> Rows:
    """A row for each shipped scenario, with the paragraph that it opens with."""
    found = []
    for name in golden.names():
        lines = golden.scenario_of(name).read_text(encoding="utf-8").splitlines()
        paragraph = takewhile(lambda line: line.strip("# "), lines)
        found.append([f"`{name}`", " ".join(line.strip("# ") for line in paragraph)])
    return found


GENERATED: Final[dict[str, Callable[[], Rows]]] = {
    "Shipped scenarios": scenario_rows,
    "`[cost]`": cost_rows,
    "What is refused so far": refused_rows,
    "`Differs:`": lambda: note_rows("Differs:"),
    "`IMPDEF:`": lambda: note_rows("IMPDEF:"),
    "The same scenarios on a real kernel": difference_rows,
}
"""Tables that follow from the program, by the headings that they stand below."""


def _nr_agreeing(*known: dict[str, str]) -> int | None:
    if reference_folder() is None:
        return None
    return len(scenarios()) - len({name for table in known for name in table})


FIGURES: Final[dict[str, Callable[[], int | None]]] = {
    "** scenarios": _nr_agreeing,
    "** in order": lambda: _nr_agreeing(OTHER_ORDER),
    "** in the flag columns": lambda: _nr_agreeing(OTHER_ORDER, OTHER_LETTERS),
    "** short logs": lambda: len(RECORDED),
    "** captures": lambda: len(TOLD),
}
"""Figures, by what follows them; None where they cannot be known."""


def generated(text: str) -> str:
    """The README with the tables and figures that follow from the program."""
    for words, make in GENERATED.items():
        start, end = _span(text, words)
        found = _BODY.search(text, start, end)
        assert found is not None, f"no table below {words!r}"
        body = "".join(f"| {' | '.join(row)} |\n" for row in make())
        text = text[: found.start()] + body + text[found.end() :]
    for words, count in FIGURES.items():
        figure = count()
        assert len(re.findall(rf"\d+{re.escape(words)}", text)) == 1, words
        if figure is not None:
            text = re.sub(rf"\d+(?={re.escape(words)})", str(figure), text)
    return text


# -- sessions ------------------------------------------------------------------------------


def sessions(text: str) -> list[str]:
    """The sessions of the README."""
    return _SESSION.findall(text)


def prepare(text: str, folder: Path) -> None:
    """The files that the README tells its reader to write, and what a checkout has."""
    (folder / "bin").mkdir()
    (folder / "traces").symlink_to(ROOT / "traces")
    for name, lines in _FILE.findall(text):
        (folder / name).write_text(f"# {name}\n{lines}", encoding="utf-8")


def replay(text: str, folder: Path) -> list[str]:
    """The same sessions, with what their commands print now."""
    prepare(text, folder)
    return ["".join(_replay(session, folder)) for session in sessions(text)]


def _replay(session: str, folder: Path) -> Iterator[str]:
    for found in _COMMAND.finditer(session):
        done = shell(f"exec 2>&1; {found[1]}", folder, folder / "bin")
        yield f"$ {found[1]}\n{done.stdout}"


def bless(text: str) -> str:
    """The README with all that follows from the program."""
    text = generated(text)
    with tempfile.TemporaryDirectory() as name:
        told = iter(replay(text, Path(name)))
    return _SESSION.sub(lambda found: next(told), text)


def main(arguments: list[str]) -> int:
    """Rewrite the README, and return the exit status."""
    if arguments != ["--bless"]:
        sys.stderr.write(f"{USAGE}\n")
        return 2
    PLACE.write_text(bless(read()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
