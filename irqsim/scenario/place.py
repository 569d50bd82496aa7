"""Places in a scenario, and the faults found there while it is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Final

from attrs import frozen

from irqsim.errors import Fault
from irqsim.scenario.locate import Path
from irqsim.scenario.steps import Scope

OVERRIDE: Final = "--set"
"""What stands for the file in a fault of an override."""

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


@frozen
class Override:
    """The key of an override as it was typed, and the text of its value."""

    key: str
    raw: str


class Reading:
    """One reading of one scenario: where everything stands, and what is wrong so far."""

    __slots__ = ("base_dir", "faults", "file", "lines", "overridden", "release", "scope")

    # Fixed when the text has been parsed.
    file: str
    base_dir: PurePath
    lines: dict[Path, int]
    overridden: dict[Path, Override]
    """The paths that overrides have set, and tables that they have made on the way."""

    # Found out before the tables are read, for they depend on it.
    scope: Scope
    release: str

    # Grows while the tables are read.
    faults: list[Fault]

    def __init__(self, file: str, base_dir: PurePath, lines: dict[Path, int]) -> None:
        self.file = file
        self.base_dir = base_dir
        self.lines = lines
        self.overridden = {}
        self.scope = Scope({}, 1, 1)
        self.release = ""
        self.faults = []

    def fault(self, path: Path, message: str) -> None:
        """Note that something is wrong at ``path``."""
        file, line, key = self._where(path)
        self.faults.append(Fault(file, line, key, message))

    def _where(self, path: Path) -> tuple[str, int | None, str]:
        """File, line and key of a path; of what is not there, the place of what should hold it."""
        parts = [path[:size] for size in range(len(path), 0, -1)]
        for part in parts if self.overridden else ():
            if part in self.overridden:
                return OVERRIDE, None, key_of(path[len(part) :], self.overridden[part].key)
        for part in parts:
            if part in self.lines:
                return self.file, self.lines[part], key_of(path)
        return self.file, None, key_of(path)

    def line_of(self, path: Path) -> int | None:
        """The line of a path in the file; None for what an override has set."""
        return self._where(path)[1]


@frozen
class Place:
    """A path in a scenario that is being read."""

    reading: Reading
    path: Path = ()

    def at(self, key: str | int) -> Place:
        """The place of a key or an element below this one."""
        return Place(self.reading, (*self.path, key))

    def fault(self, message: str) -> None:
        """Note that something is wrong here."""
        self.reading.fault(self.path, message)

    @property
    def line(self) -> int | None:
        """The line of the file."""
        return self.reading.line_of(self.path)

    @property
    def override(self) -> str | None:
        """The text of the value, if an override has set it."""
        override = self.reading.overridden.get(self.path)
        return override.raw if override is not None else None

    def reports(self) -> Callable[[Path, str], None]:
        """A way to note faults by their path below this place."""
        return lambda path, message: self.reading.fault((*self.path, *path), message)


def key_of(path: Path, text: str = "") -> str:
    """A path as messages and ``--set`` spell it, ``device[2].handler[1]``, below ``text``."""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        key = part if _BARE_KEY.fullmatch(part) else quoted(part)
        text += f".{key}" if text else key
    return text


def quoted(key: str) -> str:
    """A key that needs quotes, as TOML's basic string."""
    text = "".join(
        f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08x}" for c in key
    )
    return f'"{text}"'
