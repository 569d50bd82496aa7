"""Files that a scenario names: lines of text beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Final

from attrs import frozen

from irqsim.scenario.names import shown
from irqsim.scenario.place import Reading

FILE_MAX: Final = 64 << 20
"""The characters of the largest file."""


@frozen
class SideFile:
    """A file beside a scenario: its name for messages, and its lines with their numbers.

    Blank lines are left out, and those that begin with ``#``.
    """

    name: str
    lines: tuple[tuple[int, str], ...] = ()


def read_side_file(
    reading: Reading, name: object, what: str, complain: Callable[[str], None]
) -> SideFile:
    """Read a file by its name beside the scenario; ``what`` a file like this holds.

    What is wrong is told to ``complain``, and then there are no lines.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        complain(f"expected the name of a file, got {shown(name)}")
        return SideFile("")
    file_path = FilePath(reading.base_dir) / name
    nothing = SideFile(str(file_path))
    try:
        with file_path.open(encoding="utf-8") as file:
            text = file.read(FILE_MAX + 1)
    except OSError as error:
        complain(f"{file_path}: {error.strerror or error}")
        return nothing
    except UnicodeDecodeError:
        complain(f"{file_path}: expected text, {what}")
        return nothing
    if len(text) > FILE_MAX:
        complain(f"{file_path}: larger than {FILE_MAX >> 20} MiB")
        return nothing
    stripped = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    lines = ((number, line) for number, line in stripped if line and not line.startswith("#"))
    return SideFile(str(file_path), tuple(lines))
