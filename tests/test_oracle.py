"""The same scenario, run by a real kernel and by us: the same order of events on every CPU.

The logs are those of unmodified arm64 kernels, 6.1 and 6.12, that ran these scenarios in an
emulator whose time is the count of its instructions.  Where the order hangs on how fast that
machine is, nothing is compared.  The comparison is the one that came with the logs; without
logs nothing is tested.
"""

from __future__ import annotations

import importlib.util
import json
import tomllib
from argparse import Namespace
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from irqsim.errors import ScenarioError
from irqsim.scenario.reader import read_scenario
from tests.reality import ALL_EVENTS, difference, reference_folder, run_in_the_lab

SETS: Final = {"hand": "6.1", "gen": "6.1", "hand-6.12": "6.12"}

OTHER_ORDER: Final = {
    "gen/g1-032": "the lab's operator wrote half a millisecond late: its CPU waited for an arrival",
    "hand-6.12/ksoftirqd-deferral": "another CPU advances jiffies while a pass runs",
    "hand-6.12/ksoftirqd-vs-user": "the lag that ksoftirqd brings from before the scenario",
    "hand-6.12/softirq-resched": "the lag that ksoftirqd brings from before the scenario",
    "hand/remote-wake": "how long the tasks had run before the scenario decides who preempts",
}
"""Where the real kernel and ours are known to disagree, and why."""

OTHER_LETTERS: Final = {
    "hand/level-reassert": "a tick of the platform comes first: the handler interrupts softirqs",
}
"""Where only what the flag columns say differs, and why."""


def scenarios() -> list[str]:
    """The scenarios whose order does not hang on the speed of the machine."""
    folder = reference_folder()
    if folder is None:
        return []
    stable = sorted(folder.glob("oracle/*/*/stable.json"))
    return [
        f"{path.parts[-3]}/{path.parts[-2]}"
        for path in stable
        if path.parts[-3] in SETS and json.loads(path.read_bytes())["order"]
    ]


@pytest.fixture(scope="session")
def compare(reference: Path) -> Any:
    """The module that compares two logs."""
    if not (reference.parent / "lab" / "compare.py").is_file():
        pytest.skip("no lab beside the captures")
    return load_compare(reference.parent / "lab")


def load_compare(lab: Path) -> Any:
    """The lab's module that compares two logs."""
    spec = importlib.util.spec_from_file_location("compare", lab / "compare.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def simulated(scenario: Path, release: str) -> str:
    """The log of a scenario, or nothing if it asks for what we cannot do."""
    try:
        spec = read_scenario(scenario, (ALL_EVENTS, f'kernel.release="{release}"'))
    except ScenarioError as error:
        if all("not supported yet" in fault.message for fault in error.faults):
            return ""
        raise
    return run_in_the_lab(spec).log


def told(compare: Any, log: Path, scenario: Path, with_letters: bool) -> dict[int, list[str]]:
    """What happened on each CPU of the scenario, in order."""
    document = tomllib.loads(scenario.read_text())
    nr_cpus = document.get("machine", {}).get("cpus", 4)
    wanted = Namespace(flags=with_letters, ipi=False, platform=False)
    events = compare.read(log, compare.Names(document, None), cpus=nr_cpus, opt=wanted)
    return {
        cpu: [" ".join(map(str, event[1])) for event in compare.collapse(events[cpu])]
        for cpu in range(nr_cpus)
    }


def check(compare: Any, place: Path, tmp_path: Path, with_letters: bool) -> None:
    """Compare CPU by CPU."""
    scenario = place / "scenario.toml"
    log = simulated(scenario, SETS[place.parent.name])
    if not log:
        pytest.skip("asks for what is not supported yet")
    ours = tmp_path / "trace"
    ours.write_text(log)
    real = told(compare, place / "trace", scenario, with_letters)
    mine = told(compare, ours, scenario, with_letters)
    for cpu, events in real.items():
        diff = difference(events, mine[cpu])
        assert not diff, f"CPU {cpu}:\n{diff}"


def marked(known: dict[str, str], *more: dict[str, str]) -> list[Any]:
    """All scenarios, those with a known difference expected to fail."""
    reasons = {name: reason for table in (known, *more) for name, reason in table.items()}
    return [
        pytest.param(name, marks=pytest.mark.xfail(reason=reasons[name], strict=True))
        if name in reasons
        else name
        for name in scenarios()
    ]


@pytest.mark.parametrize("name", marked(OTHER_ORDER))
def test_events_come_in_the_order_of_the_real_kernel(
    name: str, reference: Path, compare: Any, tmp_path: Path
) -> None:
    """On every CPU the same events of the scenario's own things, in the same order."""
    check(compare, reference / "oracle" / name, tmp_path, with_letters=False)


@pytest.mark.parametrize("name", marked(OTHER_ORDER, OTHER_LETTERS))
def test_flag_columns_are_those_of_the_real_kernel(
    name: str, reference: Path, compare: Any, tmp_path: Path
) -> None:
    """Interrupts off, need-resched, context and depths are the same at each of these events."""
    check(compare, reference / "oracle" / name, tmp_path, with_letters=True)


def test_known_differences_are_of_scenarios_that_exist(reference: Path) -> None:
    """A table of exceptions that outlives what it excuses hides the next fault."""
    assert {*OTHER_ORDER, *OTHER_LETTERS} <= set(scenarios())
