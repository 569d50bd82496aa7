"""How fast traces are read, and in how much memory: `make bench`.  It reports and never fails.

The text is what our own workload prints, over and over; times are user and system CPU time,
memory is the peak of a process of its own.
"""

from __future__ import annotations

import gzip
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from irqsim.events import TRACEPOINTS
from irqsim.records import Record
from irqsim.scenario.reader import read_scenario
from irqsim.simulation import build
from irqsim.trace.dat.decode import kinds_of
from irqsim.trace.reader import open_trace
from tests import dat_files
from tests.bench_workload import EVERYTHING, WORKLOAD
from tests.dat_files import Machine

KINDS = {each: kinds_of(each) for each in TRACEPOINTS}
LINES = 200_000
MANY = 2_000_000


def main() -> None:
    """Print the table, or with a file the figures of one process."""
    if len(sys.argv) > 1:
        print(*memory(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        for workload, what in ((WORKLOAD, "W"), (EVERYTHING, "with everything in it")):
            text = Path(folder, "trace")
            records = write(workload, text, LINES)
            report(f"workload {what}, text", text)
        packed = Path(folder, "trace.gz")
        packed.write_bytes(gzip.compress(text.read_bytes(), 6))
        report("the same, gzip", packed)
        binary = Path(folder, "trace.dat")
        data = dat_files.file_of_records(Machine(), records, 8, KINDS, "")
        binary.write_bytes(data)
        report("the same, trace.dat", binary)
        print("in a process of its own:")
        peaks = []
        for wanted in (LINES, MANY):
            text = Path(folder, "trace")
            write(WORKLOAD, text, wanted)
            command = [sys.executable, "-m", "tests.bench_reader", str(text)]
            told = subprocess.run(command, capture_output=True, text=True, check=True)
            nr_lines, peak = (int(word) for word in told.stdout.split())
            peaks.append(peak)
            print(f"  {nr_lines:9,d} records        {peak / 1024:12.1f} MiB at most")
        print(f"  ratio                    {peaks[1] / peaks[0]:12.3f}")


def write(workload: Path, path: Path, nr_lines: int) -> list[Record]:
    """A trace of about so many lines: the same run again and again, later each time."""
    kept: list[Record] = []
    simulation = build(read_scenario(str(workload), ['run.duration="200ms"']), kept.extend)
    simulation.run()
    form = simulation.text_format()
    with path.open("w") as file:
        file.write(simulation.header(form))
        for number in range(max(1, nr_lines // len(kept))):
            shift = number * 200_000_000
            file.write(form.lines([(at + shift, who, what) for at, who, what in kept]))
    return kept


def report(what: str, path: Path) -> None:
    """Read a file and say how fast."""
    begun = time.process_time()
    with open_trace(str(path)) as trace:
        nr_records = sum(1 for _ in trace)
    seconds = time.process_time() - begun
    speed, cost = nr_records / seconds, seconds / nr_records * 1e9
    print(f"{what:32} {speed:12,.0f} records/s {cost:7.0f} ns/record")


def memory(name: str) -> tuple[int, int]:
    """Records in a file, and the most KiB that reading it took."""
    with open_trace(name) as trace:
        nr_records = sum(1 for _ in trace)
    return nr_records, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
