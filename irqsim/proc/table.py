"""All files of the machine, as one table.

A new file is a row here: a path, what reads it, and what takes what is written to it.
"""

from __future__ import annotations

from typing import Final

from irqsim.proc import irq, latency, stat, tracefs
from irqsim.proc.files import Files, Row, Wildcard
from irqsim.proc.system import System

TABLE: Final[tuple[Row, ...]] = (*stat.ROWS, *irq.ROWS, *latency.ROWS, *tracefs.ROWS)
WILDCARDS: Final[dict[str, Wildcard]] = {
    **stat.WILDCARDS,
    **irq.WILDCARDS,
    **latency.WILDCARDS,
    **tracefs.WILDCARDS,
}


def files_of(system: System) -> Files:
    """The files of a machine."""
    return Files(system, TABLE, WILDCARDS)
