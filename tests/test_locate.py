"""The scanner that finds on which line each key and element stands.

The generator below writes a random document in all of TOML's ways and notes the lines as it
goes; the scanner must find the very same.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path as FilePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.scenario.locate import Path, locate


def paths_of(value: object, path: Path = ()) -> Iterator[Path]:
    """All paths of a parsed document."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths_of(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths_of(item, (*path, index))


class Writer:
    """Writes a document and notes where everything begins."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.text = ""
        self.lines: dict[Path, int] = {}

    @property
    def line(self) -> int:
        return self.text.count("\n") + 1

    def put(self, text: str) -> None:
        self.text += text

    def pick(self, *choices: str) -> str:
        return self.draw(st.sampled_from(choices))

    def key(self, name: str) -> str:
        return self.pick(name, f'"{name}"', f"'{name}'", f'"\\u{ord(name[0]):04x}{name[1:]}"')

    def blank(self) -> None:
        self.put(self.pick("", " ", "\n", "\n\n", " # a [comment] = '''\n", "\t\n#\n"))

    def document(self) -> None:
        names = self.draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=5))
        for name in names[:2]:
            self.pair((), name)
            self.put("\n")
        for name in names[2:]:
            if self.draw(st.booleans()):
                self.table((name,))
                continue
            for index in range(self.draw(st.integers(1, 3))):
                self.table((name, index))

    def table(self, path: Path) -> None:
        self.blank()
        is_member = isinstance(path[-1], int)
        if is_member:
            self.lines.setdefault(path[:-1], self.line)
        self.lines[path] = self.line
        name = self.key(str(path[0]))
        space = self.pick("", " ")
        marks = ("[[", "]]") if is_member else ("[", "]")
        self.put(f"{marks[0]}{space}{name}{space}{marks[1]}{self.pick('', ' # x')}\n")
        for key in self.draw(st.lists(st.sampled_from("kxyz"), unique=True, max_size=4)):
            self.blank()
            self.pair(path, key)
            self.put(self.pick("\n", " # ends\n"))
        if self.draw(st.booleans()):
            self.lines[(*path, "sub")] = self.line
            self.put(f"[{path[0]}.sub]\n")
            self.pair((*path, "sub"), "k")
            self.put("\n")

    def pair(self, path: Path, name: str) -> None:
        path = (*path, name)
        self.lines[path] = self.line
        self.put(self.key(name))
        if self.draw(st.booleans()):
            path = (*path, "dotted")
            self.lines[path] = self.line
            self.put(self.pick(".", " . ") + self.key("dotted"))
        self.put(self.pick("=", " = "))
        self.value(path, 0)

    def value(self, path: Path, depth: int) -> None:
        kinds = ["plain", "string"] if depth > 2 else ["plain", "string", "array", "inline"]
        kind = self.pick(*kinds)
        if kind == "plain":
            self.put(self.pick("1", "-2.5e3", "true", "1979-05-27 07:32:00", "0x1F", "inf"))
        elif kind == "string":
            self.put(
                self.pick(
                    '"a # b"',
                    r'"\"] = \\"',
                    "'[\"'",
                    '"""two\nlines"""',
                    '"""\nquoted ""\\"" \\\n  """""',
                    "'''\n[x]\n''x'''''",
                    '""',
                    "''",
                    "''''''",
                )
            )
        elif kind == "array":
            self.put("[")
            for index in range(self.draw(st.integers(0, 3))):
                self.put("," if index else "")
                self.blank()
                self.lines[(*path, index)] = self.line
                self.value((*path, index), depth + 1)
                self.blank()
            self.put("]")
        else:
            self.put("{")
            for index, name in enumerate(self.draw(st.lists(st.sampled_from("pqr"), unique=True))):
                self.put(", " if index else " ")
                self.lines[(*path, name)] = self.line
                self.put(f"{self.key(name)} = ")
                self.value((*path, name), depth + 1)
            self.put(self.pick("", " ") + "}")


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Path, int]]:
    """A document and the lines of everything in it."""
    writer = Writer(draw)
    writer.document()
    return writer.text, writer.lines


@given(documents())
def test_every_key_and_element_has_its_line(document: tuple[str, dict[Path, int]]) -> None:
    text, lines = document
    assert set(paths_of(tomllib.loads(text))) == set(lines)
    assert locate(text) == lines


def test_super_table_after_its_part_keeps_its_header() -> None:
    assert locate("[a.b]\nx = 1\n[a]\ny = 1\n")["a",] == 3


def test_tables_below_members_of_a_list_go_to_the_newest() -> None:
    lines = locate("[[a]]\n[[a.b]]\n[[a]]\n[[a.b]]\n[[a.b]]\nc = [\n  1,\n  2]\n")
    assert lines["a", 1, "b", 1, "c", 1] == 8
    assert ("a", 0, "b", 1) not in lines


def test_empty_text_has_no_keys() -> None:
    assert locate("") == {}
    assert locate("# nothing\n\n") == {}


def test_text_without_a_last_newline() -> None:
    assert locate("a = 1") == {("a",): 1}
    assert locate("a = '''\n'''  # end") == {("a",): 1}


def test_all_real_scenarios_are_located(reference: FilePath) -> None:
    files = sorted(reference.rglob("*.toml"))
    if not files:
        pytest.skip("no scenarios there")
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert set(paths_of(tomllib.loads(text))) == set(locate(text))
