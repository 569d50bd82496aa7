"""Simulate how Linux serves interrupts on an ARM machine, and print the ftrace log of it.

    spec = irqsim.load("a.toml", "run.seed=3")
    for time_ns, who, what in irqsim.run(spec):
        print(time_ns, who.comm, what.tracepoint.name, what.values)
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike, fspath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from irqsim.records import Record
    from irqsim.scenario.spec import ScenarioSpec
    from irqsim.simulation import Simulation

__all__ = ["build", "load", "run"]


def load(path: str | PathLike[str], *overrides: str) -> ScenarioSpec:
    """Read a scenario; `overrides` are those of `irqsim run --set`.

    Raises ScenarioError, which lists every fault that was found.
    """
    from irqsim.scenario.reader import read_scenario

    return read_scenario(fspath(path), overrides)


def build(spec: ScenarioSpec, sink: Callable[[list[Record]], None]) -> Simulation:
    """Make a simulation; when it runs, it hands its records to `sink`, in batches."""
    from irqsim.simulation import build

    return build(spec, sink)


def run(spec: ScenarioSpec) -> list[Record]:
    """Run a scenario and return all that the trace recorded."""
    records: list[Record] = []
    build(spec, records.extend).run()
    return records
