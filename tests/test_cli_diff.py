"""`irqsim diff` says where two logs part, and its exit status can be tested in a script."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.command_line import COMMAND, ROOT, TIMEOUT_S, environment, irqsim

TRACE = "traces/touchscreen/trace"
SCENARIO = "traces/touchscreen/scenario.toml"
MOVED = ("--set", "device.touchscreen.affinity=[2]")
LINE = re.compile(r"[ +-] {0,7}\d+: .{16}-\d+ +\[\d{3}\] [.a-zA-Z\d]{5} +\d+\.\d{6}: .*")


def test_a_log_and_the_scenario_that_wrote_it_are_the_same() -> None:
    for args in (["diff"], ["diff", "--times", "--context"], ["diff", "-q"]):
        done = irqsim(*args, TRACE, SCENARIO)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_standard_input_may_be_either_of_them() -> None:
    log = (ROOT / TRACE).read_text()
    assert irqsim("diff", "-", SCENARIO, stdin=log).returncode == 0
    assert irqsim("diff", TRACE, "-", stdin=(ROOT / SCENARIO).read_text()).returncode == 0
    done = irqsim("diff", "-", "-")
    assert (done.returncode, done.stdout) == (2, "")
    assert "only once" in done.stderr


def test_another_layout_is_no_difference(tmp_path: Path) -> None:
    old = irqsim("run", "--layout", "4.19", SCENARIO).stdout
    bare = irqsim("run", "-O", "noirq-info", "-f", "trace_pipe", SCENARIO).stdout
    for name, text in (("old", old), ("bare", bare)):
        (tmp_path / name).write_text(text)
    done = irqsim("diff", "-q", "old", "bare", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


OPTIONS = ("record-tgid", "noirq-info", "latency-format", "latency-format-verbose")


@pytest.mark.parametrize("kernel", ["arm64-gicv3-4cpu", "arm64-6.12-gicv3-4cpu",
                                    "arm64-rt-gicv3-4cpu", "armhf-gicv2-4cpu"])  # fmt: skip
def test_one_buffer_is_the_same_under_every_trace_option(kernel: str, reference: Path) -> None:
    """What real kernels printed of one and the same buffer."""
    folder = reference / "captures" / f"{kernel}-fmt-options"
    for option in OPTIONS:
        done = irqsim("diff", str(folder / "trace.default"), str(folder / f"trace.{option}"))
        assert (done.returncode, "missing" in done.stdout) == (0, False), option


def test_a_binary_trace_is_the_same_as_what_trace_cmd_reports_of_it(reference: Path) -> None:
    """But for their times, of which the text has the microseconds."""
    folder = reference / "captures" / "arm64-gicv3-4cpu-trace-cmd"
    args = (str(folder / "trace.v6.dat.gz"), str(folder / "report.guest.txt"))
    done = irqsim("diff", *args)
    assert (done.returncode, done.stderr) == (0, "")
    assert "# 4266 events are the same, of 4266 and 4266\n" in done.stdout
    assert irqsim("diff", "-q", "--times", *args).returncode == 1
    context = irqsim("diff", "--context", *args)
    assert context.returncode == 1
    assert "# the second has no flag columns\n" in context.stdout


def test_a_difference_is_shown_with_its_lines_and_counted() -> None:
    done = irqsim("diff", SCENARIO, SCENARIO, *MOVED)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"--- {SCENARIO}: 47 records of 3160.000 us"
    assert lines[1].startswith(f"+++ {SCENARIO}: 51 records")
    assert "# first difference: CPU 0, 999.000 us into the first," in done.stdout
    shown = [line for line in lines if re.match(r"[ +-] *\d+:", line)]
    assert len(shown) > 6
    assert all(LINE.fullmatch(line) for line in shown)
    assert "moved             2    0->2  irq_handler_entry: touchscreen" in lines
    assert "inserted          2       0  irq_handler_entry: IPI" in lines
    assert [line.split()[:3] for line in lines if line.endswith(" IPI") and "irq " in line] == [
        ["irq", "3", "5"]
    ]


def test_quiet_says_it_with_its_status() -> None:
    done = irqsim("diff", "-q", SCENARIO, SCENARIO, *MOVED)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_longer_handler_is_no_other_sequence_but_another_measure() -> None:
    """What happened is the same; by how much the measures differ is told all the same."""
    longer = ("--set", 'tasklet.touch_report.run=["run 41us", "trace_printk x=412 y=230",'
              ' "wake_up_process compositor"]')  # fmt: skip
    done = irqsim("diff", SCENARIO, SCENARIO, *longer)
    assert done.returncode == 0
    assert "# first difference" not in done.stdout
    row = next(line for line in done.stdout.splitlines() if line.startswith("tasklet"))
    assert row.split()[1:6] == ["3", "3", "41.333", "42.333", "+2.4"]
    timed = irqsim("diff", "--times", SCENARIO, SCENARIO, *longer)
    assert timed.returncode == 1
    assert "# first other time: CPU 0, 1045.000 us into the first, 1046.000 us into" in timed.stdout


def test_json_has_all_of_it() -> None:
    done = irqsim("diff", "--json", SCENARIO, SCENARIO, *MOVED)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert (told["equal"], told["same"]) == (False, 29)
    assert told["missing"] == told["a"]["compared"] - told["same"] == 18
    assert told["inserted"] == told["b"]["compared"] - told["same"] == 22
    assert {"what": "moved", "count": 2, "cpu": "0->2", "event": "softirq_raise: vec=TASKLET"} in (
        told["events"]
    )
    assert told["first"]["a_ns"] == 999_000
    assert all(line[0] in " +-" for line in told["first"]["lines"])
    equal = json.loads(irqsim("diff", "--json", TRACE, SCENARIO).stdout)
    assert (equal["equal"], equal["first"], equal["events"]) == (True, None, [])


def test_only_some_events_may_be_compared() -> None:
    done = irqsim("diff", "-e", "sched:sched_wak*", TRACE, SCENARIO, "--set",
                  'trace.events=["sched:sched_waking", "sched:sched_wakeup"]')  # fmt: skip
    assert done.returncode == 0
    done = irqsim("diff", TRACE, SCENARIO, "--set", 'trace.events=["sched"]')
    assert done.returncode == 1
    assert "# only in the first: irq_handler_entry" in done.stdout


def test_cpus_may_have_other_numbers() -> None:
    pinned = ("--set", "device.touchscreen.affinity=[2]", "--set", "task.compositor.cpu=3",
              "--set", "task.indexer.cpu=3")  # fmt: skip
    a = ("--set", "device.touchscreen.affinity=[1]")
    left = irqsim("run", *a, "--set", "task.compositor.cpu=0", SCENARIO)
    done = irqsim("diff", "--renumber-cpus", "-e", "irq", "-", SCENARIO, *pinned,
                  stdin=left.stdout)  # fmt: skip
    assert "# CPU 1 is CPU 2 of the second" in done.stdout


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        (["diff", TRACE], "Missing argument 'B'"),
        (["diff", TRACE, "nowhere"], "nowhere: No such file or directory"),
        (["diff", TRACE, "README.md"], "README.md:3: not a line of a trace"),
        (["diff", SCENARIO, TRACE, "--set", "run.seed=1"], "is a trace"),
        (["diff", TRACE, SCENARIO, "--set", "run.sed=1"], "did you mean 'seed'?"),
    ],
)
def test_trouble_has_a_status_of_its_own(args: list[str], meant: str) -> None:
    done = irqsim(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert meant in done.stderr


def test_logs_without_events_are_the_same() -> None:
    assert irqsim("diff", "/dev/null", "-", stdin="# tracer: nop\n").returncode == 0
    done = irqsim("diff", "/dev/null", TRACE)
    assert done.returncode == 1
    assert "after the end of the first" in done.stdout


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    args = ("diff", "--json", SCENARIO, SCENARIO, *MOVED)
    with subprocess.Popen(
        [*COMMAND, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
        env=environment(),
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait(TIMEOUT_S)) == (b"", 141)
