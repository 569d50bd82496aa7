"""How fast a run is, as ratios within one run: `make bench`.  It reports and never fails.

The measure is F: formatting and writing the same records, and nothing else.  Times are user
and system CPU time, medians of interleaved repetitions; memory is the peak of a process of
its own.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from irqsim.records import Record
from irqsim.scenario.reader import read_scenario
from irqsim.simulation import build
from irqsim.trace.ftrace import TextFormat

WORKLOAD = Path(__file__).parent / "bench" / "w.toml"
REPETITIONS = 5
LINES_PER_SECOND = 245_000
"""Of simulated time, in this workload: to choose a length by a number of lines."""


def main() -> None:
    """Print the table, or with arguments the figures of one process."""
    if sys.argv[1:2] == ["--memory"]:
        print(*memory(float(sys.argv[2])))
        return
    lines, whole, bare = throughput("1s")
    print(f"workload W, 1 s of simulated time: {lines} lines")
    for what, seconds in (("whole run          ", whole), ("F, format and write", bare)):
        speed, cost = lines / seconds, seconds / lines * 1e9
        print(f"  {what}      {speed:12,.0f} lines/s {cost:9.0f} ns/line")
    print(f"  whole run / F            {whole / bare:12.1f}")
    many, four = per_line("64"), per_line("4")
    print(f"  ns/line, 64 CPUs / 4     {many / four:12.2f}")
    print("streamed, in a process of its own:")
    peaks = []
    for wanted in (100_000, 5_000_000):
        command = [sys.executable, "-m", "tests.bench_workload", "--memory"]
        command.append(str(wanted / LINES_PER_SECOND))
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        nr_lines, peak = (int(word) for word in told.stdout.split())
        peaks.append(peak)
        print(f"  {nr_lines:9,d} lines          {peak / 1024:12.1f} MiB at most")
    print(f"  ratio                    {peaks[1] / peaks[0]:12.3f}")
    print(f"start-up over bare Python  {start_up():12.0f} ms")


def throughput(duration: str) -> tuple[int, float, float]:
    """Lines, and the median seconds of the whole run and of F."""
    whole, bare, nr_lines = [], [], 0
    for _ in range(REPETITIONS):
        records, seconds = streamed([f'run.duration="{duration}"'])
        whole.append(seconds)
        nr_lines = sum(map(len, records))
        bare.append(formatted(records))
    return nr_lines, statistics.median(whole), statistics.median(bare)


def streamed(overrides: list[str]) -> tuple[list[list[Record]], float]:
    """Run the workload, its lines written to nowhere: the records, and the seconds."""
    kept: list[list[Record]] = []
    spec = read_scenario(str(WORKLOAD), overrides)
    began = time.process_time()
    with open("/dev/null", "wb") as out:

        def sink(records: list[Record]) -> None:
            kept.append(records)
            out.write(text.lines(records).encode())

        simulation = build(spec, sink, is_pipe=True)
        text = simulation.text_format()
        simulation.run()
    return kept, time.process_time() - began


def formatted(batches: list[list[Record]]) -> float:
    """Seconds of formatting and writing these records, and nothing else."""
    text = TextFormat("6.1")
    began = time.process_time()
    with open("/dev/null", "wb") as out:
        for records in batches:
            out.write(text.lines(records).encode())
    return time.process_time() - began


def per_line(cpus: str) -> float:
    """Seconds of a line on so many CPUs."""
    times = []
    for _ in range(3):
        records, seconds = streamed([f"machine.cpus={cpus}", 'run.duration="200ms"'])
        times.append(seconds / sum(map(len, records)))
    return statistics.median(times)


def memory(seconds: float) -> tuple[int, int]:
    """Lines of a streamed run of so many simulated seconds, and its peak memory in KiB."""
    spec = read_scenario(str(WORKLOAD), [f'run.duration="{int(seconds * 1_000_000)}us"'])
    nr_lines = 0
    with open("/dev/null", "wb") as out:

        def sink(records: list[Record]) -> None:
            nonlocal nr_lines
            nr_lines += len(records)
            out.write(text.lines(records).encode())

        simulation = build(spec, sink, is_pipe=True)
        text = simulation.text_format()
        simulation.run()
    return nr_lines, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def start_up() -> float:
    """Milliseconds that the smallest command takes more than bare Python."""

    def median(command: list[str]) -> float:
        times = []
        for _ in range(REPETITIONS):
            began = time.monotonic()
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.monotonic() - began)
        return statistics.median(times)

    bare = median([sys.executable, "-c", ""])
    return (median([sys.executable, "-m", "irqsim", "--version"]) - bare) * 1000


if __name__ == "__main__":
    main()
