"""Where each key and each array element of a TOML text stands.

The standard library reads TOML but does not say on which line a value stood.  This scanner
does, and nothing else: it walks a text that ``tomllib`` has already accepted, understands
only as much as it must to find where values begin and end, and so needs no error handling.

Source: TOML 1.0, https://toml.io/en/v1.0.0.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import Final

Path = tuple[str | int, ...]

# Between two statements, or two elements of an array: space, line ends, comments.
_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
# A string of any of the four kinds; the multi-line ones may end in two more quotes.
_STRING: Final = re.compile(
    r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}'
    r"|'''(?:[^']++|'{1,2}(?!'))*+'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
# A number, a boolean, a date: up to what ends it.
_PLAIN: Final = re.compile(r"[^,\]}#\r\n]*")


def locate(text: str) -> dict[Path, int]:
    """The 1-based line on which each key or element begins, by its path.

    A path is made of keys and of indices into arrays and arrays of tables:
    ``("device", 2, "handler", 1)``.  A table that has no header of its own stands where it
    is first named.  ``text`` is valid TOML.
    """
    return _Scanner(text).scan()


class _Scanner:
    """One walk over a text.  ``at`` is the offset of the next character to look at."""

    __slots__ = ("at", "counts", "line_starts", "lines", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}
        """How many members each array of tables has so far."""
        self.line_starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def scan(self) -> dict[Path, int]:
        """Statement by statement: a header, or a key with its value."""
        table: Path = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._key_value(table)
            self._skip(_BLANK)
        return self.lines

    def _header(self) -> Path:
        """``[a.b]`` or ``[[a.b]]``: the path that the keys below it go under."""
        line = self._line()
        is_member = self.text.startswith("[[", self.at)
        self.at += 2 if is_member else 1
        *parents, name = self._dotted_key()
        self.at += 2 if is_member else 1
        path: Path = ()
        for key in parents:
            path = self._newest((*path, key), line)
        path = (*path, name)
        if is_member:
            self.lines.setdefault(path, line)
            self.counts[path] = self.counts.get(path, 0) + 1
            path = (*path, self.counts[path] - 1)
        # The header itself is the better place than the first mention of a table below it.
        self.lines[path] = line
        return path

    def _newest(self, path: Path, line: int) -> Path:
        """A table on the way to another: of an array of tables, its newest member."""
        self.lines.setdefault(path, line)
        return (*path, self.counts[path] - 1) if path in self.counts else path

    def _key_value(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._dotted_key():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at += 1  # "="
        self._skip(_SPACE)
        self._value(path)

    def _dotted_key(self) -> list[str]:
        """The parts of a key; stops at what follows it and the space before that."""
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            found = _BARE_KEY.match(self.text, self.at)
            if found is not None:
                keys.append(found.group())
            else:
                found = _STRING.match(self.text, self.at)
                assert found is not None
                keys.append(str(tomllib.loads(f"k={found.group()}")["k"]))
            self.at = found.end()
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _value(self, path: Path) -> None:
        first = self.text[self.at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        elif first in "\"'":
            self._skip(_STRING)
        else:
            self._skip(_PLAIN)

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        self._skip(_BLANK)
        while self.text[self.at] != "]":
            element = (*path, index)
            self.lines[element] = self._line()
            self._value(element)
            index += 1
            self._skip(_BLANK)
            if self.text[self.at] == ",":
                self.at += 1
                self._skip(_BLANK)
        self.at += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        self._skip(_SPACE)
        while self.text[self.at] != "}":
            self._key_value(path)
            self._skip(_SPACE)
            if self.text[self.at] == ",":
                self.at += 1
                self._skip(_SPACE)
        self.at += 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def _line(self) -> int:
        return bisect_right(self.line_starts, self.at)
