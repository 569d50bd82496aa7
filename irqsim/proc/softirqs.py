"""/proc/softirqs as a table, and the table as text.

Source: fs/proc/softirqs.c: show_softirqs().
"""

from __future__ import annotations

import re

from attrs import frozen

from irqsim.errors import TraceFormatError
from irqsim.units import SOFTIRQ_NAMES


@frozen
class SoftirqsTable:
    """How often each vector ran on each CPU."""

    cpus: tuple[int, ...]
    """The possible CPUs: one that went offline keeps its column."""
    counts: tuple[tuple[int, ...], ...]
    """By vector, then by CPU of the header."""

    def render(self) -> str:
        """The file's text."""
        lines = [" " * 20 + "".join(f"CPU{cpu:<8d}" for cpu in self.cpus)]
        for name, counts in zip(SOFTIRQ_NAMES, self.counts, strict=True):
            lines.append(f"{name:>12}:" + "".join(f" {count:10d}" for count in counts))
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> SoftirqsTable:
        """The inverse.  Raises TraceFormatError for anything else."""
        header, *rows = text.removesuffix("\n").split("\n")
        if not re.fullmatch(r" {20}(?:CPU[0-9]+ +)+", header) or len(rows) != len(SOFTIRQ_NAMES):
            raise TraceFormatError("", 1, f"expected the header of /proc/softirqs: {header!r}")
        cpus = tuple(int(name[3:]) for name in header.split())
        counts: list[tuple[int, ...]] = []
        for number, (row, name) in enumerate(zip(rows, SOFTIRQ_NAMES, strict=True), start=2):
            label, *cells = row.split()
            if label != f"{name}:" or len(cells) != len(cpus):
                raise TraceFormatError("", number, f"expected the counts of {name}: {row!r}")
            counts.append(tuple(int(cell) for cell in cells))
        return cls(cpus, tuple(counts))
