"""The reader survives any bytes; `make fuzz` tries many more."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.fuzz_reader import mutant, seeds, survives


def test_every_damaged_trace_is_read_or_refused(tmp_path: Path) -> None:
    """Never a traceback: records, or an error with its place."""
    good = seeds()
    ends = Counter(survives(mutant(number, good), tmp_path / "input") for number in range(1500))
    assert ends["refused"] > 100, "the inputs are damaged"
    for source in ("ftrace", "latency", "trace-cmd", "trace.dat"):
        assert ends[source] > 10, f"the inputs are traces: {dict(ends)}"


def test_good_traces_are_read(tmp_path: Path) -> None:
    assert all(survives(data, tmp_path / "input") != "refused" for data in seeds())
