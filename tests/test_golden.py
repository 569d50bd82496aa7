"""The shipped scenarios print what is kept of them, and each can be learned from."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from irqsim.analysis.check import check
from irqsim.analysis.invariant import Setting
from irqsim.events import release_number
from irqsim.scenario.reader import read_scenario
from irqsim.scenario.spec import ScenarioSpec
from tests import golden
from tests.command_line import environment, irqsim

LINES_MAX: Final = 60
COMMENT_MIN: Final = 3
NAMES: Final = golden.names()
QUICK: Final = ("touchscreen", "napi-budget")
FULL: Final = ("touchscreen", "nobody-cared")
"""Between them they have every kind of file."""
TRACEFS: Final = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")

each_scenario = pytest.mark.parametrize("name", NAMES)


@cache
def spec_of(name: str) -> ScenarioSpec:
    """What a shipped scenario says."""
    return read_scenario(golden.scenario_of(name))


@cache
def outcome_of(name: str) -> golden.Outcome:
    """What came of running it."""
    return golden.run(spec_of(name))


def comment_of(name: str) -> list[str]:
    """The lines that a scenario opens with, without their mark."""
    found = []
    for line in golden.scenario_of(name).read_text().splitlines():
        if not line.startswith("#"):
            break
        found.append(line.lstrip("# "))
    return found


def trace_of(name: str) -> list[str]:
    """The lines of a kept log, without its header."""
    lines = (golden.TRACES / name / "trace").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def is_whole(spec: ScenarioSpec) -> bool:
    """Whether the log holds all that was traced: nothing overwritten, no operator at work on it."""
    commands = [command for at in spec.ats for command in at.commands]
    written = [command.path for command in commands if command.verb == "echo"]
    return spec.trace.buffer_size_kb is None and not any(
        path.startswith(TRACEFS) for path in written
    )


BROKEN: Final[dict[str, tuple[str, ...]]] = {
    "sleeping-in-a-handler": (
        "a_handler_leaves_the_context_as_it_was",
        "handlers_run_in_hard_interrupt_context",
        "what_began_last_ends_first",
        "an_interrupt_stays_with_its_task",
    )
}
"""The laws that a scenario is there to break: its driver does what no driver may."""


def faults_of(name: str, outcome: golden.Outcome) -> list[str]:
    """The laws that a run breaks, and was not meant to."""
    spec = outcome.simulation.spec
    kernel = spec.kernel
    descs = outcome.simulation.kernel.irq_desc.items()
    setting = Setting(
        release=release_number(kernel.release),
        is_rt=kernel.preempt == "rt",
        percpu_irqs=frozenset(irq for irq, desc in descs if desc.percpu),
        has_outside=True,
        softirq_restart=kernel.softirq_restart,
    )
    whole = is_whole(spec)
    enabled = outcome.enabled if whole else None
    found = list(check(outcome.records, whole, setting, enabled))
    return [str(each) for each in found if each.name not in BROKEN.get(name, ())]


def test_there_is_something_to_learn() -> None:
    assert len(NAMES) >= 14
    assert {*QUICK, *FULL} <= {*NAMES}


@each_scenario
def test_a_scenario_prints_what_is_kept(name: str, bless: bool) -> None:
    """Byte for byte: the log, the tables, the kernel's messages, the operator's snapshots."""
    if bless:
        golden.bless(name)
    said = golden.difference(golden.read_tree(golden.TRACES / name), outcome_of(name).tree)
    assert not said, f"{name} prints something else than is kept:\n{said}"


@each_scenario
def test_a_log_can_be_read_in_one_go(name: str) -> None:
    assert 0 < len(trace_of(name)) <= LINES_MAX


@each_scenario
def test_a_scenario_says_what_to_look_at(name: str) -> None:
    """It opens with a comment, and every time that the comment names is one of the log's."""
    comment = comment_of(name)
    assert len(comment) >= COMMENT_MIN
    printed = "\n".join([*trace_of(name), *golden.read_tree(golden.TRACES / name)])
    times = re.findall(r"\b\d+\.\d{6}\b", "\n".join(comment))
    assert times
    assert [time for time in times if time not in printed] == []


@each_scenario
def test_no_law_is_broken_in_what_is_printed(name: str) -> None:
    assert faults_of(name, outcome_of(name)) == []


@each_scenario
def test_no_law_is_broken_in_what_is_not_printed(name: str) -> None:
    """With every event, from the first to the last, and nobody who writes to tracefs."""
    spec = spec_of(name)
    trace = evolve(spec.trace, events=("*",), buffer_size_kb=None)
    ats = []
    for at in spec.ats:
        commands = [each for each in at.commands if not each.path.startswith(TRACEFS)]
        ats.append(evolve(at, commands=tuple(commands)))
    assert faults_of(name, golden.run(evolve(spec, trace=trace, ats=tuple(ats)))) == []


@pytest.mark.parametrize("seed", ["1", "2"])
def test_hash_seeds_change_nothing(seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.golden", "--check", *QUICK],
        env=environment(PYTHONHASHSEED=seed),
        cwd=golden.TRACES.parent,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_command_writes_the_same_tree(tmp_path: Path) -> None:
    """`irqsim run -o` writes what is kept, and more."""
    for name in FULL:
        place = tmp_path / name
        done = irqsim("run", "-q", "-o", str(place), str(golden.scenario_of(name)))
        assert (done.returncode, done.stdout) == (0, "")
        kept = golden.read_tree(golden.TRACES / name)
        assert golden.difference(kept, golden.selected(golden.read_tree(place))) == ""


def test_a_difference_is_found_and_blessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is kept is compared as a whole: other text, a file too many, a file too few."""
    monkeypatch.setattr(golden, "TRACES", tmp_path)
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / golden.SCENARIO).write_text('[[device]]\nname = "a"\nspi = 1\narrivals = ["1ms"]\n')
    assert golden.main(["--bless"]) == 0
    assert "+++ printed/trace" in capsys.readouterr().out
    assert golden.main(["--check"]) == 0
    assert capsys.readouterr().out == ""
    (folder / "proc/softirqs").unlink()
    (folder / "dmesg").write_text("hello\n")
    trace = folder / "trace"
    trace.write_text(trace.read_text().replace("name=a", "name=b"))
    assert golden.main(["--check", "one"]) == 1
    said = capsys.readouterr().out
    assert "+++ printed/proc/softirqs" in said
    assert "-hello" in said
    assert "irq_handler_entry: irq=13 name=b" in said
    assert golden.main(["--bless"]) == 0
    assert golden.main(["--check"]) == 0
    assert not (folder / "dmesg").exists()


@pytest.mark.parametrize("arguments", [[], ["--other"], ["--check", "no-such-scenario"]])
def test_wrong_usage_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert golden.main(arguments) == 2
    assert golden.USAGE in capsys.readouterr().err
