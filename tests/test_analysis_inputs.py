"""What a command analyses is known by its content, and whatever it is, there is no traceback."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Final

import pytest

from irqsim.cli.inputs import is_scenario
from irqsim.scenario.new import template, template_names
from tests import golden
from tests.command_line import ROOT, irqsim

LOGS: Final = ("touchscreen", "touchscreen", "timers", "left-to-ksoftirqd")
COMMANDS: Final = (
    ("report", "-"),
    ("report", "--json", "--per-cpu", "-"),
    ("diff", "-", "traces/touchscreen/trace"),
    ("diff", "--renumber-cpus", "--context", "--times", "traces/touchscreen/trace", "-"),
    ("explain", "-", "--softirq", "TASKLET", "--top", "9"),
    ("explain", "-", "--irq", "touchscreen"),
    ("explain", "-", "--thread", "compositor"),
)
NUMBERS: Final = ("0", "7", "4294967295", "18446744073709551616", "9" * 24)


@pytest.mark.parametrize("name", golden.names())
def test_shipped_scenarios_and_their_logs_are_told_apart(name: str) -> None:
    assert is_scenario(golden.scenario_of(name).read_bytes())
    trace = golden.scenario_of(name).parent / "trace"
    lines = [line for line in trace.read_bytes().splitlines(True) if line[:1] != b"#"]
    assert not is_scenario(trace.read_bytes())
    assert not is_scenario(b"".join(lines))


@pytest.mark.parametrize("name", template_names())
def test_templates_are_scenarios(name: str) -> None:
    assert is_scenario(template(name).encode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("\n# words\n", False),
        ("# words\n[run]\n", True),
        ("[[ device ]] # words\n", True),
        ("run = { duration = '1ms' }\n", True),
        ("run.seed = 3\n", True),
        ("# tracer: nop\n#\nrun = 3\n", False),
        ("version = 7\ncpus=4\n", False),
        ("CPU 1 is empty\ncpus=4\n", False),
        ("cpus=4\n", False),
        ("CPU:1 [LOST 12 EVENTS]\n", False),
        ("  <idle>-0         0d.h..    1us : irq_handler_entry: irq=14 name=a = b\n", False),
    ],
)
def test_the_first_line_that_is_no_comment_tells(text: str, expected: bool) -> None:
    assert is_scenario(text.encode()) is expected


def test_every_capture_is_a_trace(reference: Path) -> None:
    paths = sorted(reference.glob("captures/*/trace*"))
    texts = [path for path in paths if path.name == "trace" or path.name.startswith("trace.")]
    assert len(texts) > 60
    assert not [path for path in texts if is_scenario(path.read_bytes()[:65536])]


def damaged(lines: list[str], draws: random.Random) -> str:
    """Some of the lines, with faults in them."""
    first = draws.randrange(len(lines))
    found = []
    for line in lines[first : first + draws.randrange(90)]:
        fault = draws.randrange(60)
        numbers = list(re.finditer(r"\d+", line))
        if fault == 0 and numbers:
            where = draws.choice(numbers)
            line = line[: where.start()] + draws.choice(NUMBERS) + line[where.end() :]
        elif fault == 1:
            line = f"CPU:{draws.randrange(9)} [LOST {draws.randrange(99)} EVENTS]"
        elif fault == 2:
            line = line[: draws.randrange(len(line) + 1)]
        found.append(line)
    if draws.randrange(3) == 0:
        draws.shuffle(found)
    return "".join(f"{line}\n" for line in found)


@pytest.mark.parametrize("args", COMMANDS, ids=" ".join)
def test_no_log_makes_a_traceback(args: tuple[str, ...]) -> None:
    """An error that names the line, or a result."""
    draws = random.Random(" ".join(args))
    lines = [line for name in LOGS for line in
             (ROOT / "traces" / name / "trace").read_text().splitlines()]  # fmt: skip
    nr_read = 0
    for _ in range(80):
        done = irqsim(*args, stdin=damaged(lines, draws))
        assert done.returncode in (0, 1, 2)
        assert (done.returncode == 2) is bool(done.stderr)
        assert done.returncode != 2 or not done.stdout
        nr_read += done.returncode != 2
    assert nr_read > 5
