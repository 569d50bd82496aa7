"""`irqsim report` prints tables that can be searched, plotted and read by programs."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from tests import golden
from tests.command_line import COMMAND, ROOT, TIMEOUT_S, environment, irqsim

TRACE = "traces/touchscreen/trace"
SCENARIO = "traces/touchscreen/scenario.toml"
LOG = """
          <idle>-0       [000] d.h..     1.000001: irq_handler_entry: irq=24 name=two words
          <idle>-0       [000] d.h..     1.000003: irq_handler_exit: irq=24 ret=handled
          <idle>-0       [000] d.h..     1.000010: irq_handler_entry: irq=24 name=two words
          <idle>-0       [000] d.h..     1.000015: irq_handler_exit: irq=24 ret=handled
"""
TABLES = (ROOT / "tests" / "reports" / "two-interrupts").read_text()


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_a_report_is_tables_of_fixed_width() -> None:
    done = irqsim("report", "-", stdin=LOG)
    assert (done.returncode, done.stdout, done.stderr) == (0, TABLES, "")


def test_a_packed_trace_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "log.gz").write_bytes(gzip.compress(LOG.encode()))
    done = irqsim("report", "log.gz", cwd=tmp_path)
    assert done.stdout == TABLES.replace("stdin", "log.gz")


@pytest.mark.parametrize("name", golden.names())
def test_a_scenario_and_its_log_have_the_same_report(name: str) -> None:
    """Where the log has the microseconds of the simulation."""
    log = irqsim("run", "-q", f"traces/{name}/scenario.toml")
    of_log = irqsim("report", "-", stdin=log.stdout)
    of_scenario = irqsim("report", "-q", f"traces/{name}/scenario.toml")
    assert of_scenario.returncode == of_log.returncode == 0
    told = [row for row in lines(of_scenario.stdout) if not row.startswith("deadline")]
    assert told == lines(of_log.stdout)


def test_tables_are_chosen() -> None:
    done = irqsim("report", "-t", "dispatch", "-t", "irq", TRACE)
    assert {line.split()[0] for line in lines(done.stdout)} == {"dispatch", "irq"}
    assert not [line for line in lines(irqsim("report", TRACE).stdout) if "dispatch" in line]


def test_a_row_for_each_cpu() -> None:
    rows = lines(irqsim("report", "--per-cpu", "-t", "tasklet", TRACE).stdout)
    assert [row.split()[-2:] for row in rows] == [["0", "touch_report"], ["1", "touch_report"]]


def test_values_of_a_scenario_are_overridden() -> None:
    args = ("report", "-t", "irq", "--per-cpu", "--set", "device.touchscreen.affinity=[3]")
    rows = lines(irqsim(*args, SCENARIO).stdout)
    assert any(row.split()[-3:] == ["3", "14", "touchscreen"] for row in rows)
    done = irqsim(*args, TRACE)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is a trace" in done.stderr


def test_json_has_every_table_and_every_histogram() -> None:
    told = json.loads(irqsim("report", "--json", "-", stdin=LOG).stdout)
    assert told["span_ns"] == 14_000
    assert told["irq"] == [{
        "name": "two words", "irq": 24, "count": 2, "total_ns": 7000, "mean_ns": 3500.0,
        "min_ns": 2000, "p50_ns": 2000, "p90_ns": 5000, "p99_ns": 5000, "max_ns": 5000,
        "max_at_ns": 1_000_010_000, "error": 0.0,
        "histogram": [[2000, 2007, 1], [4992, 5023, 1]],
    }]  # fmt: skip
    assert told["cpu"][0]["hardirq_ns"] == 7000
    assert told["wakeup"] == []


def test_a_histogram_is_that_of_cyclictest() -> None:
    done = irqsim("report", "--histogram", "irq:two words", "--limit", "4", "-", stdin=LOG)
    assert done.stdout == (
        "# Column 0: two words 24\n"
        "# Histogram\n"
        "000000 000000\n"
        "000001 000000\n"
        "000002 000001\n"
        "000003 000000\n"
        "# Total: 000000001\n"
        "# Min Latencies: 00002\n"
        "# Avg Latencies: 00003\n"
        "# Max Latencies: 00005\n"
        "# Histogram Overflows: 00001\n"
        "# Histogram Overflow at cycle number:\n"
        "# Thread 0: 00001\n"
        "\n"
    )


def test_a_histogram_has_a_column_for_each_row() -> None:
    told = irqsim("report", "--histogram", "thread", "--limit", "1000", TRACE).stdout
    assert "# Column 0: indexer 947\n# Column 1: compositor 812\n" in told
    assert "\n000105 000000\t000003\n" in told


def test_storms_are_named_with_their_place() -> None:
    done = irqsim("report", "-t", "rate", "--storm", "200", "-", stdin=LOG)
    assert "# storm: two words: 2 interrupts from 1.000001 s to 1.010001 s\n" in done.stdout
    assert irqsim("report", "-t", "rate", "-", stdin=LOG).stdout.count("storm:") == 0


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        (["report"], "Missing argument 'TRACE'"),
        (["report", "-t", "irqs", TRACE], "did you mean 'irq'?"),
        (["report", "--histogram", "cpu", TRACE], "'cpu' has no histogram"),
        (["report", "--histogram", "irq:touchscren", TRACE], "did you mean 'touchscreen'?"),
        (["report", "--histogram", "irq", "--json", TRACE], "and nothing else"),
        (["report", "--limit", "0", TRACE], "0 is not in the range"),
        (["report", "nowhere"], "nowhere: No such file or directory"),
        (["report", "README.md"], "README.md:3: "),
    ],
)
def test_wrong_usage_is_named(args: list[str], meant: str) -> None:
    done = irqsim(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert meant in done.stderr


def test_a_wrong_scenario_is_named_as_in_a_run() -> None:
    scenario = "[run]\nsed = 1\n"
    done = irqsim("report", "-", stdin=scenario)
    assert (done.returncode, done.stdout, done.stderr) == (
        2, "", irqsim("run", "-", stdin=scenario).stderr,
    )  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"\n", b"# tracer: nop\n#\n", b"# only words\n"])
def test_a_log_without_events_has_no_tables(data: bytes) -> None:
    done = irqsim("report", "-", stdin=data)
    assert (done.returncode, lines(done.stdout)) == (0, [])
    assert done.stdout.startswith("# stdin: 0 records, CPUs none\n")


def test_a_panic_is_seen_in_the_status() -> None:
    scenario = '[[device]]\nname = "a"\nspi = 1\narrivals = ["1ms"]\nhandler = ["panic ink"]\n'
    done = irqsim("report", "-", stdin=scenario)
    assert done.returncode == 3
    assert "Kernel panic" in done.stderr
    assert irqsim("report", "-q", "-", stdin=scenario).stderr == ""


MISSED = "traces/deadline-missed/scenario.toml"


def test_deadlines_of_a_scenario_are_told() -> None:
    done = irqsim("report", "-q", "-t", "deadline", MISSED)
    assert (done.returncode, done.stderr) == (0, "")
    rows = lines(done.stdout)
    assert [row.split() for row in rows] == [
        ["deadline", "2", "200.000", "1", "138.500", "236.000", "0.002010", "sensor"]
    ]
    assert "# missed: sensor: a sample is lost\n" in done.stdout
    told = json.loads(irqsim("report", "-q", "--json", MISSED).stdout)
    assert told["deadline"][0]["missed"] == 1


def test_a_missed_deadline_can_fail_a_script() -> None:
    assert irqsim("report", "-q", "--fail-on-miss", MISSED).returncode == 1
    kept = ("--set", "device.sensor.deadline=1ms")
    assert irqsim("report", "-q", "--fail-on-miss", *kept, MISSED).returncode == 0
    done = irqsim("report", "--fail-on-miss", TRACE)
    assert (done.returncode, done.stdout) == (2, ""), "a log has no deadlines: not all were kept"


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    args = ("report", "--histogram", "irq", "--limit", "100000", TRACE)
    with subprocess.Popen(
        [*COMMAND, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
        env=environment(),
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait(TIMEOUT_S)) == (b"", 141)
