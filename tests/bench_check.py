"""How fast checking is, beside reading alone: `make bench`.  It reports and never fails.

The log is one that we write ourselves, of the workload of `bench_workload`.  Times are user and
system CPU time, medians of interleaved repetitions; memory is the peak of a process of its own.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from irqsim.analysis.trace_check import TraceCheck
from irqsim.scenario.reader import read_scenario
from irqsim.simulation import build
from irqsim.trace.reader import open_trace

WORKLOAD: Final = Path(__file__).parent / "bench" / "w.toml"
REPETITIONS: Final = 3


def main() -> None:
    """Print the table, or with arguments the peak of one process."""
    if sys.argv[1:2] == ["--memory"]:
        check(sys.argv[2])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return
    with tempfile.TemporaryDirectory() as folder:
        nr_lines, place = write(Path(folder) / "trace", "400ms")
        reading, checking = [], []
        for _ in range(REPETITIONS):
            reading.append(read(place))
            checking.append(check(place))
        print(f"checking a log of workload W: {nr_lines} lines")
        for what, times in (("read", reading), ("read and check", checking)):
            seconds = statistics.median(times)
            print(f"  {what:<20}{nr_lines / seconds:12,.0f} lines/s "
                  f"{seconds / nr_lines * 1e9:9.0f} ns/line")
        _, short = write(Path(folder) / "short", "40ms")
        peaks = [peak(each) for each in (short, place)]
        print(f"  memory, ten times the lines {peaks[1] / peaks[0]:9.3f}")


def write(place: Path, duration: str) -> tuple[int, str]:
    """Write the log of the workload; the number of its lines, and where it is."""
    spec = read_scenario(str(WORKLOAD), [f'run.duration="{duration}"'])
    nr_lines = 0
    with open(place, "w", encoding="utf-8") as out:

        def sink(records: list[object]) -> None:
            nonlocal nr_lines
            nr_lines += len(records)
            out.write(text.lines(records))  # type: ignore[arg-type]

        simulation = build(spec, sink, is_pipe=True)  # type: ignore[arg-type]
        text = simulation.text_format()
        simulation.run()
    return nr_lines, str(place)


def read(place: str) -> float:
    """Read a log and do nothing with it: the seconds."""
    began = time.process_time()
    with open_trace(place) as trace:
        for _ in trace:
            pass
    return time.process_time() - began


def check(place: str) -> float:
    """Read a log and check it: the seconds."""
    began = time.process_time()
    with open_trace(place) as trace:
        checked = TraceCheck(trace.header)
        for line, item in trace:
            checked.feed(line, item)
    return time.process_time() - began


def peak(place: str) -> int:
    """The most memory that checking a log takes, in KiB."""
    command = [sys.executable, "-m", "tests.bench_check", "--memory", place]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
