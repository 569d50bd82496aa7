"""A trace.dat gives the records that its text would give."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from irqsim.errors import TraceFormatError
from irqsim.events import (
    IRQ_HANDLER_ENTRY,
    NEED_RESCHED,
    PREEMPT_RESCHED,
    SCHED_SWITCH,
    SOFTIRQ_RAISE,
    TASK_PREEMPTED,
    UNKNOWN,
    UNKNOWN_TGID,
    WORKQUEUE_QUEUE_WORK,
    Context,
    Event,
    Record,
    Value,
)
from irqsim.records import Lost
from irqsim.trace.dat.decode import kinds_of
from irqsim.trace.dat.reader import DatReader
from irqsim.trace.entry import Entries
from irqsim.trace.kinds import mask_value, pointer_text, pointer_value
from irqsim.trace.payload import Payloads
from irqsim.trace.reader import open_trace
from tests import dat_files
from tests.dat_files import Machine
from tests.test_ftrace import DECLARED, records

REPORTS = ("report.host.txt", "report.guest.txt", "report.host.raw.txt", "report.host.latency.txt")
CAPTURE = "captures/arm64-gicv3-4cpu-trace-cmd"
UNAMES = {
    "4.19": "Linux pi 4.19.75-v7l+ armv7l",
    "5.10": "Linux pi 5.10.0-8-arm64 aarch64",
    "6.1": "Linux host 6.1.0-50-arm64 aarch64",
    "6.6": "Linux host 6.6.20 aarch64",
    "6.12": "Linux host 6.12.95 aarch64",
    "6.1-rt": "Linux host 6.1.0-50-rt-arm64 aarch64",
}
KINDS = {each: kinds_of(each) for each in DECLARED}


def items_of(path: Path) -> list[Record | Lost]:
    with open_trace(str(path)) as trace:
        return [item for _, item in trace]


def read(data: bytes) -> list[Record | Lost]:
    reader = DatReader(io.BytesIO(data), "trace.dat")
    return [item for parts in reader.parts() for _, item, _ in parts if item is not None]


def test_both_versions_have_the_same_records(reference: Path) -> None:
    pytest.importorskip("zstandard")
    old = items_of(reference / CAPTURE / "trace.v6.dat.gz")
    assert old == items_of(reference / CAPTURE / "trace.dat")
    assert len(old) == 4266


@pytest.mark.parametrize("name", REPORTS)
def test_the_text_reports_have_the_same_records(reference: Path, name: str) -> None:
    """As far as each goes: no flags but with -l, names cut with -l, no ``R+`` from the plugin."""
    binary = items_of(reference / CAPTURE / "trace.v6.dat.gz")
    text = items_of(reference / CAPTURE / name)
    is_latency = "latency" in name
    has_plugins = "guest" not in name and "raw" not in name
    # Two of the reports were kept without their end.
    assert len(text) in (2999, len(binary))
    for mine, its in zip(binary, text, strict=False):
        assert isinstance(mine, tuple)
        assert isinstance(its, tuple)
        time, who, event = mine
        if has_plugins and event.tracepoint is SCHED_SWITCH:
            values = list(event.values)
            values[3] = 0 if values[3] == TASK_PREEMPTED else values[3]
            event = Event(SCHED_SWITCH, tuple(values))
        comm = who.comm[:8] if is_latency else who.comm
        flags, depth = (who.flags, who.preempt_count) if is_latency else (0, 0)
        # trace-cmd has one letter for both of them.
        flags = flags | PREEMPT_RESCHED if flags & NEED_RESCHED else flags & ~PREEMPT_RESCHED
        context = Context(comm, who.pid, UNKNOWN_TGID, who.cpu, flags, depth)
        assert its == ((time + 500) // 1000 * 1000, context, event)


def test_without_the_package_the_error_names_it(
    reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(TraceFormatError, match=r"trace\.dat: .*pip install 'irqsim\[zstd\]'"):
        open_trace(str(reference / CAPTURE / "trace.dat"))


def expected(machine: Machine, event: Event) -> Event:
    """An event as a machine with such longs can record it."""
    layout = Entries(machine.release, machine.long_bits).layout(event.tracepoint)
    sizes = {each.field.name: each for each in layout.fields}
    values: list[Value] = []
    for each, value in zip(event.tracepoint.fields, event.values, strict=True):
        kind = KINDS[event.tracepoint][each.name]
        place = sizes.get(each.name)
        if place is None or value is None:
            values.append(None)
        elif kind == "mask":
            is_short = machine.long_bits == 32 and isinstance(value, str)
            values.append(value if is_short else mask_value(value))
        elif kind == "p" and not each.ctype.startswith("__data_loc"):
            bits = machine.long_bits
            values.append(pointer_text(pointer_value(value) % 2**bits, bits))
        elif isinstance(value, int) and not each.ctype.startswith("__data_loc"):
            bits = 8 * place.size
            wrapped = value % 2**bits
            values.append(wrapped - 2**bits if place.is_signed and wrapped >> bits - 1 else wrapped)
        elif kind == "symoff":
            name, blank, module = str(value).partition(" ")
            values.append(f"{name}+0x0/0x40{blank}{module}")
        else:
            values.append(value)
    return Event(event.tracepoint, tuple(values))


@pytest.mark.parametrize("is_big", [False, True], ids=["little", "big"])
@pytest.mark.parametrize("long_bits", [32, 64])
@pytest.mark.parametrize("release", UNAMES)
@settings(max_examples=20, phases=[Phase.explicit, Phase.generate])
@given(data=st.data())
def test_any_records_come_back(
    release: str, long_bits: int, is_big: bool, data: st.DataObject
) -> None:
    """Of every tracepoint, byte order, word size and release, with what was lost."""
    machine = Machine(release, is_big, long_bits)
    comms: dict[int, str] = {0: "<idle>"}
    written: list[Record] = []
    drawn = data.draw(st.lists(records(release).filter(is_placed), max_size=12))
    for time, who, event in sorted(drawn, key=by_time):
        comm = comms.setdefault(who.pid, who.comm)
        context = Context(
            comm, who.pid, UNKNOWN_TGID, who.cpu % 3, who.flags, who.preempt_count
        )
        written.append((time, context, event))
    data_file = dat_files.file_of_records(machine, written, 3, KINDS, UNAMES[release])
    payloads = Payloads(release)

    def shown(item: Record | Lost) -> tuple[object, ...]:
        assert not isinstance(item, Lost)
        return item[0], item[1], payloads.text(item[2])

    wanted = [
        (time, who, expected(machine, event))
        for time, who, event in sorted(written, key=lambda each: (each[0], each[1].cpu))
    ]
    assert [shown(item) for item in read(data_file)] == [shown(item) for item in wanted]


def is_placed(record: Record) -> bool:
    """Before 5.13 this event had a pointer where it has a name."""
    return record[2].tracepoint is not WORKQUEUE_QUEUE_WORK


def by_time(record: Record) -> int:
    return record[0]


@pytest.mark.parametrize("nr_lost", [0, 17])
def test_lost_records_stand_before_the_page_that_says_so(nr_lost: int) -> None:
    who = Context("init", 1, UNKNOWN_TGID, 1, 0, 0)
    event = Event(IRQ_HANDLER_ENTRY, (24, "eth0"))
    written: list[Record | Lost] = [(1000, who, event), Lost(1, nr_lost), (2000, who, event)]
    data = dat_files.file_of_records(Machine(), written, 2, KINDS, UNAMES["6.1"])
    assert read(data) == written


def test_an_event_that_is_not_declared_prints_by_its_own_format() -> None:
    """Numbers, flags, names and strings; what is not understood, as its fields."""
    text = dat_files.format_text(Machine(), SOFTIRQ_RAISE, 300)
    text = text.replace("softirq_raise", "other").replace("print fmt: \"x\"", "print fmt: ")
    who = Context("init", 1, UNKNOWN_TGID, 0, 0, 0)
    body = dat_files.entry(Machine(), text, 300, (5, who, Event(SOFTIRQ_RAISE, (9,))), {})

    def shown(print_fmt: str) -> str:
        form = text.rstrip("\n") + " " + print_fmt + "\n"
        page = dat_files.page(Machine(), [(5, body)], None)
        (item,) = read(dat_files.file_of(Machine(), [("irq", form)], [[page]], {1: "init"}))
        assert isinstance(item, tuple)
        assert item[2].tracepoint is UNKNOWN
        assert item[2].values[0] == "other"
        return str(item[2].values[1])

    assert shown('"vec=%u %-4x|%04d", REC->vec, REC->vec + 1, (int)-REC->vec') == "vec=9 a   |-009"
    names = '__print_symbolic(REC->vec, { 8, "HRTIMER" }, { 9, "RCU" })'
    assert shown(f'"[%s]", {names}') == "[RCU]"
    flags = '__print_flags(REC->vec, "|", { 1, "A" }, { 0x2, "B" }, { 1 << 3, "C" })'
    assert shown(f'"%s %s", {flags}, REC->vec > 8 && !(REC->vec & 2) ? "yes" : "no"') == "A|C yes"
    assert shown('"%s", what_is_this(REC->vec)') == "vec=9"
    assert shown('"%s %d", REC->vec') == "vec=9"
    assert shown("") == "vec=9"


@pytest.mark.parametrize(("keep", "what"), [(11, "the file is cut off"), (300, "cut off")])
def test_a_file_that_is_cut_off_is_an_error(keep: int, what: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.dat"
    path.write_bytes(dat_files.file_of(Machine(), [], [], {})[:keep])
    with pytest.raises(TraceFormatError, match=what):
        open_trace(str(path))


def test_packed_and_piped_it_is_the_same(tmp_path: Path) -> None:
    who = Context("init", 1, UNKNOWN_TGID, 0, 0, 0)
    written: list[Record | Lost] = [(1000, who, Event(IRQ_HANDLER_ENTRY, (24, "eth0")))]
    data = dat_files.file_of_records(Machine(), written, 1, KINDS, "")
    path = tmp_path / "trace.dat.gz"
    path.write_bytes(gzip.compress(data))
    assert items_of(path) == written
