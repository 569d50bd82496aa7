"""Real logs turned into scenarios, and how much of each its replay has: `make replay`.

Every capture is imported, run, and looked for in what the run prints: per CPU and in its order,
by what the events are.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from attrs import frozen

from irqsim.analysis.match import Match
from irqsim.cli.importing import import_capture, open_capture, verify
from irqsim.errors import IrqsimError
from tests.reality import reference_folder

PERCENT_MIN: Final = 98.0
HELD: Final = tuple(
    f"{machine}-4cpu-{workload}"
    for machine, workloads in (
        (
            "arm64-gicv3",
            "affinity block-mmio block-pci busy-ksoftirqd gpio-powerkey idle idle-irqonly"
            " ipi mod-affinity mod-disable mod-ipicall mod-long mod-multi mod-plain"
            " mod-raise-inside mod-shared mod-tasklet mod-threaded mod-workqueue net-flood"
            " net-ping threadirqs-mod-threaded",
        ),
        ("arm64-6.12-gicv3", "fmt-options idle"),
        (
            "armhf-gicv2",
            "block-mmio fmt-options idle idle-irqonly mod-shared mod-tasklet mod-threaded"
            " net-ping",
        ),
    )
    for workload in workloads.split()
)
"""Captures whose replay has 98 % of the events, and every interrupt of a device."""

QUICK: Final = (
    "arm64-gicv3-4cpu-idle",
    "arm64-gicv3-4cpu-ipi",
    "arm64-gicv3-4cpu-mod-shared",
    "arm64-gicv3-4cpu-mod-threaded",
    "arm64-gicv3-4cpu-net-flood",
    "arm64-gicv3-4cpu-threadirqs-mod-threaded",
    "armhf-gicv2-4cpu-net-ping",
)
"""Those that the fast tests replay."""


@frozen
class Row:
    """One capture: what came of it, or why nothing did."""

    name: str
    match: Match | None = None
    reason: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the replay has what is wanted of it."""
        match = self.match
        return match is not None and match.percent >= PERCENT_MIN and match.device_percent == 100.0


def captures() -> list[Path]:
    """The captures that are there."""
    folder = reference_folder()
    return [] if folder is None else sorted((folder / "captures").glob("*/trace"))


def replayed(trace: Path) -> Row:
    """Import a capture and replay it."""
    name = trace.parent.name
    try:
        capture = open_capture(str(trace))
        return Row(name, verify(capture, import_capture(capture, "x.replay"), "x.replay"))
    except IrqsimError as error:
        return Row(name, reason=str(error).splitlines()[0].removeprefix(f"{trace}: "))


def main() -> int:
    """Print the table; the status is that of those captures which are held."""
    is_bad = False
    print(f"{'capture':44} {'events':>7} {'replayed':>9} {'devices':>9}")
    for trace in captures():
        row = replayed(trace)
        is_bad = is_bad or (row.name in HELD and not row.is_good)
        if row.match is None:
            print(f"{row.name:44} {row.reason[:80]}")
            continue
        nr_events = sum(row.match.wanted.values())
        mark = "" if row.is_good else "  *"
        print(f"{row.name:44} {nr_events:7} {row.match.percent:8.2f}%"
              f" {row.match.device_percent:8.2f}%{mark}", flush=True)
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
