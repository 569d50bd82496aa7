"""What is written as trace.dat reads back as the same records, lost ones included."""

from __future__ import annotations

from pathlib import Path

import pytest

from irqsim.records import Lost, Record, TraceHeader
from irqsim.trace.payload import Payloads
from irqsim.trace.reader import open_trace
from tests.runs import run_of_seed
from tests.test_chrome import LOG, records_of
from tests.written import written

CAPTURES = (
    "arm64-gicv3-4cpu-allevents",
    "arm64-gicv3-4cpu-event-stacktrace",
    "arm64-gicv3-4cpu-block-pci",
    "arm64-gicv3-4cpu-function-stack",
    "arm64-6.12-gicv3-4cpu-idle",
    "arm64-rt-gicv3-4cpu-idle",
    "armhf-gicv2-4cpu-event-stacktrace",
    "armhf-gicv2-4cpu-net-ping",
)

Shown = list[tuple[object, ...]]


def shown(items: list[Record | Lost], release: str) -> Shown:
    """Items as text, those of an instant in the order of their CPUs."""
    payloads = Payloads(release)
    found: list[tuple[int, int, tuple[object, ...]]] = []
    time_ns = 0
    for item in items:
        if isinstance(item, Lost):
            found.append((time_ns, item.cpu, (item.cpu, item.nr)))
            continue
        time_ns, who, event = item
        said = (who.cpu, who.comm, who.pid, who.flags, who.preempt_count, payloads.text(event))
        found.append((time_ns, who.cpu, said))
    return sorted(found, key=lambda each: each[:2])


def read_back(data: bytes, place: Path) -> list[Record | Lost]:
    path = place / "trace.dat"
    path.write_bytes(data)
    with open_trace(str(path)) as trace:
        return [item for _, item in trace]


@pytest.mark.parametrize("format", ["trace.dat", "trace.dat-7"])
@pytest.mark.parametrize("name", CAPTURES)
def test_captures_come_back(name: str, format: str, reference: Path, tmp_path: Path) -> None:
    with open_trace(str(reference / "captures" / name / "trace")) as trace:
        items: list[Record | Lost] = [item for _, item in trace]
        header = trace.header
    found = read_back(written(format, items, header, batch=4096), tmp_path)
    assert shown(found, header.layout) == shown(items, header.layout)


@pytest.mark.parametrize("seed", range(6))
def test_simulated_records_come_back(seed: int, tmp_path: Path) -> None:
    run = run_of_seed(seed)
    release = run.kernel.release.name
    bits = 64 if run.spec.machine.arch == "arm64" else 32
    header = TraceHeader(layout=release, kernel_version=run.kernel.release.version, long_bits=bits)
    found = read_back(written("trace.dat", [*run.records], header, batch=4096), tmp_path)
    assert shown(found, release) == shown([*run.records], release)


def test_lost_records_come_back(tmp_path: Path) -> None:
    records = records_of(LOG)
    items: list[Record | Lost] = [*records[:3], Lost(0, 12), *records[3:5], Lost(0, 0)]
    items += records[5:]
    assert shown(read_back(written("trace.dat", items), tmp_path), "6.1") == shown(items, "6.1")
