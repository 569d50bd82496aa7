"""The user's mistakes, each with its place.

Whatever a user can get wrong ends as an ``IrqsimError``; only ``cli/`` catches it and
prints.  A mistake of the program itself is an ``assert`` and never one of these.
"""

from __future__ import annotations

from attrs import frozen


class IrqsimError(Exception):
    """Something that the user can mend."""


@frozen
class Fault:
    """One thing that is wrong with an input: where, and what."""

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ScenarioError(IrqsimError):
    """A scenario that is refused, with every fault that was found in it."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(faults)
        self.faults = faults

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


class TraceFormatError(IrqsimError):
    """A trace that cannot be read: the file, the line if there are lines, and why."""

    def __init__(self, file: str, line: int | None, message: str) -> None:
        super().__init__(file, line, message)
        self.file = file
        self.line = line
        self.message = message

    def __str__(self) -> str:
        return str(Fault(self.file, self.line, "", self.message))


class LimitError(IrqsimError):
    """A run that reached a limit of ours: it would not end, or an instant of it would not."""
