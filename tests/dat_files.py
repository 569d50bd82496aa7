"""trace.dat files made by hand, of any byte order and word size, to be read back.

Independent of the reader: the layout of the entries is that of ``irqsim.trace.entry`` or of
a kernel's own format files.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

from attrs import define, field

from irqsim.events import KERNEL_STACK, Record, Tracepoint, Value
from irqsim.records import NEED_RESCHED_LAZY, PREEMPT_LAZY_SHIFT, Lost
from irqsim.trace.entry import Entries

PAGE = 4096
NAME = b"options  \0"
FIELDS = re.compile(r"field:([^;]+);\s*offset:(\d+);\s*size:(\d+);\s*signed:(\d)")


@define
class Machine:
    """Who wrote the file."""

    release: str = "6.1"
    is_big: bool = False
    long_bits: int = 64
    symbols: dict[str, int] = field(factory=dict)
    strings: dict[str, int] = field(factory=dict)

    @property
    def order(self) -> str:
        return ">" if self.is_big else "<"

    @property
    def long_size(self) -> int:
        return self.long_bits // 8

    def pack(self, form: str, *values: int) -> bytes:
        return struct.pack(self.order + form, *values)

    def integer(self, value: int, size: int) -> bytes:
        data = (value % (1 << 8 * size)).to_bytes(size, "little")
        return data[::-1] if self.is_big else data

    def symbol(self, value: Value) -> int:
        """An address with this name; the names of two addresses are never the same."""
        if not isinstance(value, str):
            return value or 0
        base = 0xFFFF_8000_0000_0000 if self.long_bits == 64 else 0xC000_0000
        return self.symbols.setdefault(value, base + 64 * (len(self.symbols) + 1))

    def string(self, value: Value) -> int:
        base = 0xFFFF_9000_0000_0000 if self.long_bits == 64 else 0xD000_0000
        return self.strings.setdefault(str(value), base + 64 * (len(self.strings) + 1))


def format_text(machine: Machine, tracepoint: Tracepoint, number: int) -> str:
    """A format file from our own declaration."""
    layout = Entries(machine.release, machine.long_bits).layout(tracepoint)
    rows = []
    for place in (*layout.common, *layout.fields):
        base, bracket, length = place.field.ctype.partition("[")
        name = place.field.name
        if bracket and not base.startswith("__data_loc"):
            name, ctype = f"{name}[{length}", base
        else:
            ctype = place.field.ctype
        rows.append(
            f"\tfield:{ctype} {name};\toffset:{place.offset};\tsize:{place.size};"
            f"\tsigned:{place.is_signed:d};\n"
        )
    return f'name: {tracepoint.name}\nID: {number}\nformat:\n{"".join(rows)}\nprint fmt: "x"\n'


def entry(machine: Machine, text: str, number: int, record: Record, kinds: dict[str, str]) -> bytes:
    """The bytes of a record, laid out as a format file says."""
    _, who, event = record
    values: dict[str, Value] = dict(
        zip((each.name for each in event.tracepoint.fields), event.values, strict=True)
    )
    rows = [(words, int(at), int(size)) for words, at, size, _ in FIELDS.findall(text)]
    fixed = bytearray(max(at + size for _, at, size in rows))
    tail = b""
    common = {
        "common_type": number,
        "common_flags": who.flags & 0xFF | 2 * bool(who.flags & NEED_RESCHED_LAZY),
        "common_preempt_count": who.preempt_count,
        "common_pid": who.pid,
        "common_preempt_lazy_count": who.flags >> PREEMPT_LAZY_SHIFT & 15,
    }
    for words, at, size in rows:
        name = re.split(r"[ *]", words.partition("[")[0] if "_loc" not in words else words)[-1]
        if name in common:
            fixed[at : at + size] = machine.integer(common[name], size)
            continue
        value = values.get(name)
        if "__data_loc" in words:
            data = _dynamic(machine, words, value)
            where = len(data) << 16 | len(fixed) + len(tail)
            fixed[at : at + 4] = machine.pack("I", where)
            tail += data
        elif "char" in words and "[" in words and not size:
            tail += str(value).encode("utf-8", "surrogateescape") + b"\0"
        elif event.tracepoint is KERNEL_STACK and name == "caller":
            callers = str(value).split("\n") if value else []
            del fixed[at:]
            tail += b"".join(
                machine.integer(machine.symbol(each), machine.long_size) for each in callers
            )
        elif event.tracepoint is KERNEL_STACK and name == "size":
            fixed[at : at + 4] = machine.pack("I", len(str(values["caller"]).split("\n")))
        elif "char" in words and "[" in words:
            fixed[at : at + size] = str(value).encode()[: size - 1].ljust(size, b"\0")
        else:
            number = _number(machine, words, name, value, kinds)
            fixed[at : at + size] = machine.integer(number, size)
    return bytes(fixed) + tail


def _number(machine: Machine, words: str, name: str, value: Value, kinds: dict[str, str]) -> int:
    if "char *" in words:
        return machine.string(value)
    if kinds.get(name, "").startswith("sym"):
        return machine.symbol(value)
    return int(value, 16) if isinstance(value, str) else value or 0


def _dynamic(machine: Machine, words: str, value: Value) -> bytes:
    if "char" in words:
        return str(value).encode("utf-8", "surrogateescape") + b"\0"
    nr_words = 2 if not isinstance(value, str) else value.count(",") + 1
    cpus = int(value.replace(",", ""), 16) if isinstance(value, str) else value or 0
    longs = range(0, 32 * nr_words, machine.long_bits)
    mask = (1 << machine.long_bits) - 1
    return b"".join(machine.integer(cpus >> bit & mask, machine.long_size) for bit in longs)


def page(machine: Machine, entries: Sequence[tuple[int, bytes]], nr_missed: int | None) -> bytes:
    """One page of the ring buffer, with time extends and absolute times where they are needed."""
    start = entries[0][0] if entries else 0
    data = b""
    last = start
    for index, (time, body) in enumerate(entries):
        delta, last = time - last, time
        if index % 7 == 3:
            stamp = time & (1 << 59) - 1
            data += _event(machine, 31, stamp & (1 << 27) - 1) + machine.pack("I", stamp >> 27)
            delta = 0
        elif delta >> 27:
            data += _event(machine, 30, delta & (1 << 27) - 1) + machine.pack("I", delta >> 27)
            delta = 0
        body += bytes(-len(body) % 4)
        if len(body) <= 112 and index % 5 != 2:
            data += _event(machine, len(body) // 4, delta) + body
        else:
            data += _event(machine, 0, delta) + machine.pack("I", len(body) + 4) + body
        if index % 3 == 2 and index + 1 < len(entries) and entries[index + 1][0] > time:
            data += _event(machine, 29, 1) + machine.pack("I", 8) + bytes(4)
            last += 1
    commit = len(data)
    if nr_missed is not None:
        commit |= 1 << 31 | (1 << 30 if nr_missed else 0)
        data += machine.integer(nr_missed, machine.long_size)
    head = machine.pack("Q", start) + machine.integer(commit, machine.long_size)
    assert len(head + data) <= PAGE
    return (head + data).ljust(PAGE, b"\0")


def _event(machine: Machine, kind: int, delta: int) -> bytes:
    return machine.pack("I", kind << 27 | delta if machine.is_big else delta << 5 | kind)


def header_page(machine: Machine) -> bytes:
    size = machine.long_size
    return (
        "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
        f"\tfield: local_t commit;\toffset:8;\tsize:{size};\tsigned:1;\n"
        "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
        f"\tfield: char data;\toffset:{8 + size};\tsize:{PAGE - 8 - size};\tsigned:1;\n"
    ).encode()


def file_of(
    machine: Machine,
    formats: Sequence[tuple[str, str]],
    pages: Sequence[Sequence[bytes]],
    comms: dict[int, str],
    uname: str = "",
) -> bytes:
    """A trace.dat of version 6; `pages` of each CPU."""
    pack = machine.pack
    systems: dict[str, list[bytes]] = {}
    for system, text in formats:
        systems.setdefault(system, []).append(text.encode())

    def sized(form: str, data: bytes) -> bytes:
        return pack(form, len(data)) + data

    out = b"\x17\x08\x44tracing6\0" + bytes([machine.is_big, machine.long_size]) + pack("I", PAGE)
    out += b"header_page\0" + sized("Q", header_page(machine)) + b"header_event\0" + sized("Q", b"")
    own = systems.pop("ftrace", [])
    out += pack("I", len(own)) + b"".join(sized("Q", text) for text in own)
    out += pack("I", len(systems))
    for system, texts in systems.items():
        out += system.encode() + b"\0" + pack("I", len(texts))
        out += b"".join(sized("Q", text) for text in texts)
    out += sized("I", _kallsyms(machine))
    strings = "".join(f'{at:#x} : "{text}"\n' for text, at in machine.strings.items())
    out += sized("I", strings.encode())
    out += sized("Q", "".join(f"{pid} {comm}\n" for pid, comm in comms.items()).encode())
    out += pack("I", len(pages)) + NAME
    if uname:
        out += pack("H", 5) + sized("I", uname.encode() + b"\0")
    out += pack("H", 0) + b"flyrecord\0"
    offset = -(-(len(out) + 16 * len(pages)) // PAGE) * PAGE
    start = offset
    for each in pages:
        out += pack("QQ", offset, len(each) * PAGE)
        offset += len(each) * PAGE
    return out.ljust(start, b"\0") + b"".join(data for each in pages for data in each)


def _kallsyms(machine: Machine) -> bytes:
    rows = []
    for name, at in machine.symbols.items():
        function, _, module = name.partition(" ")
        rows.append(f"{at:x} t {function}" + (f"\t{module}" if module else ""))
    end = max(machine.symbols.values(), default=0) + 64
    return "\n".join([*rows, f"{end:x} t _end", ""]).encode("utf-8", "surrogateescape")


def file_of_records(
    machine: Machine,
    records: Sequence[Record | Lost],
    nr_cpus: int,
    kinds: dict[Tracepoint, dict[str, str]],
    uname: str,
) -> bytes:
    """A file with these records (in the order of their times), a few to a page."""
    tracepoints = list(
        dict.fromkeys(each[2].tracepoint for each in records if not isinstance(each, Lost))
    )
    texts = {each: format_text(machine, each, 300 + i) for i, each in enumerate(tracepoints)}
    comms: dict[int, str] = {}
    pages: list[list[bytes]] = [[] for _ in range(nr_cpus)]
    for cpu in range(nr_cpus):
        waiting: list[tuple[int, bytes]] = []
        missed: int | None = None
        for item in records:
            if isinstance(item, Lost):
                if item.cpu == cpu:
                    pages[cpu] += [page(machine, waiting, missed)] if waiting else []
                    waiting, missed = [], item.nr
                continue
            time, who, event = item
            if who.cpu != cpu:
                continue
            comms[who.pid] = who.comm
            point = event.tracepoint
            body = entry(machine, texts[point], 300 + tracepoints.index(point), item, kinds[point])
            waiting.append((time, body))
            if len(waiting) == 16:
                pages[cpu].append(page(machine, waiting, missed))
                waiting, missed = [], None
        if waiting:
            pages[cpu].append(page(machine, waiting, missed))
    formats = [(each.system, texts[each]) for each in tracepoints]
    return file_of(machine, formats, pages, comms, uname)

