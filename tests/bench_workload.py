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
EVERYTHING = Path(__file__).parent / "bench" / "everything.toml"
REPETITIONS = 5
LINES_PER_SECOND = 245_000
"""Of simulated time, in this workload: to choose a length by a number of lines."""


def main() -> None:
    """Print the table, or with arguments the figures of one process."""
    if sys.argv[1:2] == ["--memory"]:
        print(*memory(float(sys.argv[2])))
        return
    for workload, what in ((WORKLOAD, "W"), (EVERYTHING, "with everything in it, 8 CPUs")):
        lines, whole, bare = throughput(workload, "1s")
        print(f"workload {what}: {lines} lines in 1 s of simulated time")
        for part, seconds in (("whole run          ", whole), ("F, format and write", bare)):
            speed, cost = lines / seconds, seconds / lines * 1e9
            print(f"  {part}      {speed:12,.0f} lines/s {cost:9.0f} ns/line")
        print(f"  whole run / F            {whole / bare:12.1f}")
    print("workload W:")
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


def throughput(workload: Path, duration: str) -> tuple[int, float, float]:
    """Lines, and the median seconds of the whole run and of F."""
    whole, bare, nr_lines = [], [], 0
    for _ in range(REPETITIONS):
        overrides = [f'run.duration="{duration}"']
        nr_lines, seconds = streamed(workload, overrides)
        whole.append(seconds)
        kept: list[list[Record]] = []
        streamed(workload, overrides, kept)
        bare.append(formatted(kept))
    return nr_lines, statistics.median(whole), statistics.median(bare)


def streamed(
    workload: Path, overrides: list[str], kept: list[list[Record]] | None = None
) -> tuple[int, float]:
    """Run a workload, its lines written to nowhere: how many, and the seconds.

    Records that are `kept` cost time as well, the garbage collector's.
    """
    nr_lines = 0
    spec = read_scenario(str(workload), overrides)
    began = time.process_time()
    with open("/dev/null", "wb") as out:

        def sink(records: list[Record]) -> None:
            nonlocal nr_lines
            nr_lines += len(records)
            if kept is not None:
                kept.append(records)
            out.write(text.lines(records).encode())

        simulation = build(spec, sink, is_pipe=True)
        text = simulation.text_format()
        simulation.run()
    return nr_lines, time.process_time() - began


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
        overrides = [f"machine.cpus={cpus}", 'run.duration="200ms"']
        nr_lines, seconds = streamed(WORKLOAD, overrides)
        times.append(seconds / nr_lines)
    return statistics.median(times)


def memory(seconds: float) -> tuple[int, int]:
    """Lines of a streamed run of so many simulated seconds, and its peak memory in KiB."""
    nr_lines, _ = streamed(WORKLOAD, [f'run.duration="{int(seconds * 1_000_000)}us"'])
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
