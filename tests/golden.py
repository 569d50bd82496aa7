"""The shipped scenarios, and what they are known to print.

Beside each ``traces/NAME/scenario.toml`` lies what its run leaves behind: a selection of the tree
that ``irqsim run -o`` writes.  Only the program writes these files; a change of one is a diff to
be read.

    python -m tests.golden --check [NAME...]
    python -m tests.golden --bless [NAME...]
"""

from __future__ import annotations

import difflib
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from irqsim.events import TRACEPOINTS, Record, Tracepoint
from irqsim.scenario.reader import read_scenario
from irqsim.scenario.spec import ScenarioSpec
from irqsim.simulation import Simulation, build
from irqsim.trace.output import seconds

TRACES: Final = Path(__file__).resolve().parent.parent / "traces"
SCENARIO: Final = "scenario.toml"

KEPT: Final = ("trace", "proc/interrupts", "proc/softirqs", "dmesg")
"""Of the files as they stand at the end, those that are kept; an empty `dmesg` is not."""

SNAPSHOTS: Final = "at/"
"""Where the operator's snapshots lie, which are kept too."""

NARRATION: Final = "narrate."
"""How the names of kept narrations begin, which are another module's."""

USAGE: Final = "usage: python -m tests.golden (--check | --bless) [NAME...]"

Tree = dict[str, str]
"""Texts by their paths."""


@frozen
class Outcome:
    """A scenario that has run."""

    simulation: Simulation
    enabled: list[Tracepoint]
    """What was traced when the run began."""
    records: list[Record]
    tree: Tree
    """What of it is kept."""


def names() -> list[str]:
    """The shipped scenarios."""
    return sorted(path.parent.name for path in TRACES.glob(f"*/{SCENARIO}"))


def scenario_of(name: str) -> Path:
    """Where the scenario of that name lies."""
    return TRACES / name / SCENARIO


def run(spec: ScenarioSpec) -> Outcome:
    """Run a scenario, and print what is kept of it."""
    records: list[Record] = []
    simulation = build(spec, records.extend)
    switches = simulation.kernel.trace_events
    enabled = [tracepoint for tracepoint in TRACEPOINTS if switches[tracepoint.id]]
    simulation.run()
    text = simulation.text_format()
    lines = text.lines(records) + text.finish()
    whole = {"trace": simulation.header(text) + lines, **dict(simulation.tree())}
    for time_ns, path, said in simulation.snapshots:
        whole[f"{SNAPSHOTS}{seconds(time_ns)}/{path.lstrip('/')}"] = said
    return Outcome(simulation, enabled, records, selected(whole))


def selected(tree: Tree) -> Tree:
    """What of a machine's files is kept."""
    return {
        path: text
        for path, text in tree.items()
        if (path in KEPT and text) or path.startswith(SNAPSHOTS)
    }


def read_tree(folder: Path) -> Tree:
    """All files of a folder, but for a scenario and narrations of it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != SCENARIO and not path.name.startswith(NARRATION)
    }


def difference(kept: Tree, printed: Tree) -> str:
    """How two trees differ, as a unified diff; empty if they are the same."""
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for path in sorted({*kept, *printed})
        for line in difflib.unified_diff(
            kept.get(path, "").splitlines(keepends=True),
            printed.get(path, "").splitlines(keepends=True),
            f"kept/{path}" if path in kept else "/dev/null",
            f"printed/{path}" if path in printed else "/dev/null",
        )
    )


def compare(name: str) -> str:
    """How what a scenario prints differs from what is kept of it; empty if it does not."""
    return difference(read_tree(TRACES / name), run(read_scenario(scenario_of(name))).tree)


def bless(name: str) -> str:
    """Keep what a scenario prints; returns how that differs from what was kept before."""
    folder = TRACES / name
    kept = read_tree(folder)
    printed = run(read_scenario(scenario_of(name))).tree
    for path in kept:
        (folder / path).unlink()
    for place in sorted(folder.iterdir()):
        if place.is_dir():
            shutil.rmtree(place)
    for path, text in printed.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode())
    return difference(kept, printed)


def _diffs(verb: str, wanted: Sequence[str]) -> Iterator[str]:
    for name in wanted or names():
        said = bless(name) if verb == "--bless" else compare(name)
        if said:
            yield f"{name}:\n{said}"


def main(arguments: Sequence[str]) -> int:
    """Compare or rewrite, print the differences, and return the exit status."""
    verb, *wanted = arguments or [""]
    unknown = [name for name in wanted if name not in names()]
    if verb not in ("--check", "--bless") or unknown:
        sys.stderr.write(f"{USAGE}\n" + "".join(f"no such scenario: {n}\n" for n in unknown))
        return 2
    found = False
    for said in _diffs(verb, wanted):
        sys.stdout.write(said)
        found = True
    return int(found and verb == "--check")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
