"""What real kernels printed is read and printed again, byte for byte.

Every text trace, every /proc/interrupts and /proc/softirqs of the captures goes through;
without the captures, nothing is tested.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from irqsim.events import TRACEPOINTS, UNKNOWN, EventTable, Record, release_number
from irqsim.proc.interrupts import InterruptsTable, IpiRow, OtherRow, ipi_names
from irqsim.proc.softirqs import SoftirqsTable
from irqsim.trace.entry import Entries
from irqsim.trace.ftrace import TextFormat
from irqsim.trace.layout import LAYOUTS, column_header, latency_column_header
from irqsim.trace.parse import LineParser, classify
from irqsim.trace.payload import Payloads
from irqsim.trace.ring_buffer import RingBuffer

PLAIN = ("trace", "trace_pipe", "trace.default", "trace.per_cpu0", "trace.empty-default")
OPTIONS = ("trace.record-tgid", "trace.noirq-info")
COUNTING_CLOCKS = ("fmt-clock-counter", "fmt-clock-uptime")

NOT_DECLARED = {
    "is_exec",
    "is_injector",
    "itimer_state",
    "net_dev_start_xmit",
}
"""Names in the captures that we have no tracepoint for (the first two: trace_printk)."""

FORMAT_OPTIONS = {
    "arm64-gicv3-4cpu-fmt-options": "6.1",
    "arm64-6.12-gicv3-4cpu-fmt-options": "6.12",
    "arm64-rt-gicv3-4cpu-fmt-options": "6.1-rt",
    "armhf-gicv2-4cpu-fmt-options": "6.1",
}
STATIC = {
    "arm64-gicv3-4cpu-static": ("6.1", 64),
    "arm64-6.12-gicv3-4cpu-static": ("6.12", 64),
    "arm64-rt-gicv3-4cpu-static": ("6.1-rt", 64),
    "armhf-gicv2-4cpu-static": ("6.1", 32),
}


def layout_of(path: Path) -> str:
    """The layout of a capture, from the name of its folder."""
    place = str(path.parent)
    if "-rt-" in place:
        return "6.1-rt"
    return "6.12" if "6.12" in place else "6.1"


def lines_of(path: Path) -> list[str]:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return text.replace("\r\n", "\n").split("\n")


def records_of(path: Path, table: EventTable | None = None) -> list[Record]:
    parser = LineParser(layout_of(path), table)
    return [parser.parse(line) for line in lines_of(path) if classify(line) == "event"]


def traces(reference: Path, names: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in reference.rglob("trace*") if path.name in names)


def test_every_event_of_every_trace_prints_as_it_was_read(reference: Path) -> None:
    """parse(line) prints as line, for every line that carries an event."""
    paths = traces(reference, PLAIN + OPTIONS)
    seen: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    wrong: list[str] = []
    for path in paths:
        parser = LineParser(layout_of(path))
        form = TextFormat(
            layout_of(path),
            irq_info=path.name != "trace.noirq-info",
            record_tgid=path.name == "trace.record-tgid",
            clock_in_ns=not path.parent.name.endswith(COUNTING_CLOCKS),
        )
        for line in lines_of(path):
            kind = classify(line)
            seen[kind] += 1
            if kind != "event":
                continue
            record = parser.parse(line)
            event = record[2]
            if event.tracepoint is UNKNOWN:
                unknown[str(event.values[0])] += 1
            if form.lines([record]) != f"{line}\n":
                wrong.append(f"{path}: {line}")
    summary = f"{len(paths)} files, {dict(seen)}, not declared: {dict(unknown)}"
    assert not wrong, "\n".join([summary, *wrong[:10]])
    assert set(unknown) <= NOT_DECLARED, summary
    assert seen["event"] > 200_000, summary


def test_every_event_on_the_consoles_prints_as_it_was_read(reference: Path) -> None:
    """The same for three console logs, which hold sections of several formats."""
    wrong: list[str] = []
    nr_events = 0
    for path in sorted((reference / "console").glob("out-*.txt")):
        parser = LineParser("6.1")
        section = ""
        for line in lines_of(path):
            if line.startswith("@@@@ "):
                section = line[5:]
            if classify(line) != "event":
                continue
            nr_events += 1
            form = TextFormat(
                "6.1",
                irq_info=section != "trace_noirqinfo",
                record_tgid=section == "trace_tgid",
            )
            if form.lines([parser.parse(line)]) != f"{line}\n":
                wrong.append(f"{path}: {section}: {line}")
    assert not wrong, "\n".join(wrong[:10])
    assert nr_events > 3000, f"{nr_events} events"


def test_an_event_without_context_prints_as_it_was_read(reference: Path) -> None:
    """With nocontext-info only the event's text is left."""
    nr_events = 0
    for name, layout in FORMAT_OPTIONS.items():
        payloads, table = Payloads(layout), EventTable()
        for line in lines_of(reference / "captures" / name / "trace.toggled-context-info"):
            if line and not line.startswith("#"):
                assert payloads.text(payloads.parse(line, table)) == line
                nr_events += 1
    assert nr_events > 5000


@pytest.mark.parametrize("name", FORMAT_OPTIONS)
def test_headers_are_those_of_the_kernel(reference: Path, name: str) -> None:
    """Header and lines together are the whole file, in each of the three forms."""
    layout = FORMAT_OPTIONS[name]
    folder = reference / "captures" / name
    for file, irq_info, tgid in (
        ("trace.default", True, False),
        ("trace.record-tgid", True, True),
        ("trace.noirq-info", False, False),
    ):
        text = (folder / file).read_text()
        form = TextFormat(layout, irq_info=irq_info, record_tgid=tgid)
        records = records_of(folder / file)
        header = form.header(
            entries_in_buffer=len(records), entries_written=len(records), online_cpus=4
        )
        assert header + form.lines(records) + form.finish() == text
        assert column_header(LAYOUTS[layout], irq_info, tgid) in header


@pytest.mark.parametrize("name", FORMAT_OPTIONS)
def test_latency_format_is_that_of_the_kernel(reference: Path, name: str) -> None:
    """With the times in ns, from the raw form, latency-format is the same file too."""
    layout = FORMAT_OPTIONS[name]
    folder = reference / "captures" / name
    text = (folder / "trace.latency-format").read_text()
    version = re.search(r"v1\.1\.5 on (\S+)", text)
    assert version is not None
    raw = [line.split() for line in lines_of(folder / "trace.toggled-raw") if line[:1].isdigit()]
    times = [int(words[2]) for words in raw]
    seen = records_of(folder / "trace.default")
    records = [(time, who, what) for time, (_, who, what) in zip(times, seen, strict=True)]
    form = TextFormat(layout, latency=True, start_ns=buffer_start(layout, text, times))
    model = "preempt_rt" if layout == "6.1-rt" else "desktop"
    header = form.header(
        entries_in_buffer=len(records),
        entries_written=len(records),
        online_cpus=4,
        kernel_version=version[1],
        preempt_model=model,
    )
    assert header.endswith(latency_column_header(LAYOUTS[layout]))
    # In two batches: the last of the first waits for the second.
    lines = form.lines(records[:100]) + form.lines(records[100:]) + form.finish()
    assert header + lines == text


def buffer_start(layout: str, text: str, times: list[int]) -> int:
    """The start that explains every printed time."""
    parser = LineParser(layout)
    printed = [parser.parse(line)[0] for line in text.split("\n") if classify(line) == "latency"]
    earliest = max(time - since - 499 for time, since in zip(times, printed, strict=True))
    latest = min(time - since + 500 for time, since in zip(times, printed, strict=True))
    assert earliest <= latest
    return earliest


def test_an_empty_buffer_has_a_header(reference: Path) -> None:
    paths = traces(reference, ("trace.empty-default",))
    assert paths
    for path in paths:
        text = path.read_text()
        cpus = re.search(r"#P:(\d+)", text)
        assert cpus is not None
        assert TextFormat(layout_of(path)).header(online_cpus=int(cpus[1])) == text


def test_every_interrupts_file_renders_as_it_was_read(reference: Path) -> None:
    """parse(text).render() is text; only x86 has rows that the table does not know."""
    paths = sorted(reference.rglob("proc_interrupts*"))
    for path in paths:
        text = path.read_text()
        table = InterruptsTable.parse(text)
        assert table.render() == text, path
        if "x86" in str(path):
            continue
        assert not [row for row in table.rows if isinstance(row, OtherRow)], path
        assert table.arch == ("arm" if "armhf" in str(path) else "arm64")
        names = [row.text for row in table.rows if isinstance(row, IpiRow)]
        assert tuple(names) == ipi_names(table.arch, layout_of(path))
    assert len(paths) > 200, f"{len(paths)} files"


def test_every_softirqs_file_renders_as_it_was_read(reference: Path) -> None:
    paths = sorted(reference.rglob("proc_softirqs*"))
    for path in paths:
        text = path.read_text()
        assert SoftirqsTable.parse(text).render() == text, path
    assert len(paths) > 200, f"{len(paths)} files"


def test_the_tables_of_the_consoles_render_as_they_were_read(reference: Path) -> None:
    """Among them a Raspberry Pi 2, whose chips have long names."""
    for path in sorted((reference / "console").glob("out-*.txt")):
        sections = dict(re.findall(r"^@@@@ (\w+)\n(.*?)(?=^@@@@)", "\n".join(lines_of(path)), 24))
        assert InterruptsTable.parse(sections["interrupts"]).render() == sections["interrupts"]
        assert SoftirqsTable.parse(sections["softirqs"]).render() == sections["softirqs"]


@pytest.mark.parametrize("name", STATIC)
def test_fields_lie_where_the_format_files_say(reference: Path, name: str) -> None:
    """Name, type, offset, size and signedness of every field of every declared event."""
    release, long_bits = STATIC[name]
    entries = Entries(release, long_bits)
    nr_files = 0
    for tracepoint in TRACEPOINTS:
        path = reference / "captures" / name / "format" / f"{tracepoint.system}.{tracepoint.name}"
        if not path.is_file() or tracepoint.name == "kernel_stack":
            continue
        nr_files += 1
        layout = entries.layout(tracepoint)
        found = [
            (declaration(each.field.ctype, each.field.name), each.offset, each.size, each.is_signed)
            for each in (*layout.common, *layout.fields)
        ]
        assert found == list(fields_of(path.read_text())), path
        assert tracepoint.exists_in(release_number(release)), path
    assert nr_files > 25


def declaration(ctype: str, name: str) -> str:
    """As a format file spells it."""
    base, bracket, length = ctype.partition("[")
    if bracket and not ctype.startswith("__data_loc"):
        return f"{base} {name}[{length}"
    return f"{ctype} {name}"


def fields_of(text: str) -> Iterator[tuple[str, int, int, bool]]:
    row = r"field:([^;]+);\s+offset:(\d+);\s+size:(\d+);\s+signed:(\d)"
    for found in re.findall(row, text):
        yield found[0], int(found[1]), int(found[2]), found[3] == "1"


@pytest.mark.parametrize("name", STATIC)
def test_each_release_has_the_events_that_we_say(reference: Path, name: str) -> None:
    release = release_number(STATIC[name][0])
    available = set(lines_of(reference / "captures" / name / "available_events"))
    for tracepoint in TRACEPOINTS:
        if tracepoint.system != "ftrace":
            known = f"{tracepoint.system}:{tracepoint.name}" in available
            assert known == tracepoint.exists_in(release), tracepoint.name


def test_the_buffer_counts_its_bytes_as_the_kernel_does(reference: Path) -> None:
    """`bytes` of per_cpu/cpuN/stats, from the records alone, where nothing was lost.

    The kernel's own count is exact in nearly all: it differs where a write was interrupted.
    """
    same = other = 0
    for path in sorted((reference / "captures").glob("*/percpu_stats.txt")):
        trace = path.with_name("trace")
        stats = cpu_stats(path.read_text())
        table = EventTable()
        records = records_of(trace, table)
        if any(event.tracepoint is UNKNOWN for _, _, event in records):
            continue
        if any(line.startswith(" => ") for line in lines_of(trace)):
            continue
        bits = 32 if "armhf" in str(path) else 64
        buffer = RingBuffer(len(stats), 1 << 20, release=layout_of(trace), long_bits=bits)
        buffer.add(records)
        for cpu, stat in zip(buffer.cpus, stats, strict=True):
            if cpu.entries == stat["entries"] and stat["read events"] == 0:
                same += cpu.nr_bytes == stat["bytes"]
                other += cpu.nr_bytes != stat["bytes"]
    assert same > 100
    assert other * 20 < same, f"{same} as the kernel counted, {other} not"


def cpu_stats(text: str) -> list[dict[str, float]]:
    return [
        {key: float(value) for key, value in re.findall(r"^([a-z ]+): +([\d.]+)$", part, 8)}
        for part in re.split(r"^== cpu\d+$", text, flags=re.MULTILINE)[1:]
    ]


def test_an_overwritten_buffer_keeps_whole_pages(reference: Path) -> None:
    """16 kB are five pages, and a sixth that the reader of trace_pipe holds."""
    folder = reference / "captures" / "arm64-gicv3-4cpu-lost-events"
    records = records_of(folder / "trace", EventTable())
    stats = cpu_stats((folder / "percpu_stats.txt").read_text())
    endless = RingBuffer(4, 1 << 20)
    endless.add(records)
    small = RingBuffer(4, 16)
    assert small.nr_pages == 5
    for cpu, stat in enumerate(stats):
        if stat["overrun"]:
            assert 4 < endless.cpus[cpu].nr_bytes / small.page_data <= 6
    small.add(records)
    small.add((time + 10**9, who, what) for time, who, what in records)
    for buffer in small.cpus:
        if buffer.overrun:
            assert len(buffer.pages) == 5
            assert 4 < buffer.nr_bytes / small.page_data <= 5
            assert 600 < buffer.entries < 900
    assert small.entries_written == 2 * len(records)
    assert small.entries_in_buffer == len(small.records())


def test_the_marks_of_an_overwritten_buffer(reference: Path) -> None:
    """`##### CPU n buffer started ####` stands where the kernel put it."""
    path = reference / "captures" / "arm64-gicv3-4cpu-lost-events" / "trace"
    form = TextFormat("6.1", annotate=True)
    header = form.header(entries_in_buffer=2834, entries_written=7458, online_cpus=4)
    assert header + form.lines(records_of(path)) == path.read_text()
