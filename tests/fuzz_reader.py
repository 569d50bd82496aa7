"""Traces made to break the reader: `make fuzz` tries a hundred thousand of them.

Each is a good trace (any layout, what trace-cmd prints, trace.dat of any machine, gzip of
them) with a few bytes, lines or pieces changed.  It is read, or refused with an error that
names the file and, of a text, the line; and what is read of a kernel's text is copied byte
for byte.  A number makes the same input again.
"""

from __future__ import annotations

import gzip
import io
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from irqsim.errors import TraceFormatError
from irqsim.events import TRACEPOINTS, Context, Event
from irqsim.records import Lost, Record
from irqsim.trace.convert import KERNEL_TEXT, convert
from irqsim.trace.dat.decode import kinds_of
from irqsim.trace.formats import FORMATS
from irqsim.trace.ftrace import TextFormat
from irqsim.trace.layout import LAYOUTS
from irqsim.trace.output import LineStream
from irqsim.trace.reader import open_trace
from tests import dat_files
from tests.dat_files import Machine

INPUTS = 100_000
TRACES = Path(__file__).resolve().parent.parent / "traces"
KINDS = {each: kinds_of(each) for each in TRACEPOINTS}

REPORT = rb"""cpus=2
CPU 1 is empty
          <idle>-0     [000]   134.942358: irq_handler_entry:    irq=11 name=arch_timer
          <idle>-0     [000]   134.942558: sched_switch:         s/0:0 [120] R ==> a b:34 [120]
       trace-cmd-3489  [000]   134.942621: sched_switch:          prev_comm=a prev_pid=34
CPU:0 [12 EVENTS DROPPED]
       trace-cmd-3489  [000]   134.942700: sched_wakeup:         rcu:14 [120] success=1 CPU:001
       trace-cmd-3489  [000]   134.942900: hrtimer_expire_entry: hrtimer=0xff8a now=7 function=f
       trace-cmd-3489  [000]   134.942900: kernel_stack:         <stack trace >
=> gic_handle_irq (ffff8000000001c0)
"""
GRAPH = rb"""# tracer: function_graph
#
# CPU  DURATION                  FUNCTION CALLS
# |     |   |                     |   |   |   |
 0)   1.376 us    |  }
 0)   ==========> |
 0)               |  /* irq_handler_entry: irq=11 name=arch_timer */
 ------------------------------------------
 0)    dd-1347    =>    <idle>-0
 ------------------------------------------

   64.321057 |   3)     init-1     | + 25.568 us   |  mutex_unlock();
"""
TOP = b"# tracer: nop\n#\n"
OTHERS = (
    b"            init       1   0 9 00000000 00000003 [027ea4e2] 35.439ms (+0.034ms): a: vec=9\n",
    b"          <idle>-0       [001] d.h..    36.000002: <stack trace>\n => handle_irq_event\n"
    b"CPU:1 [LOST 308 EVENTS]\n##### CPU 1 buffer started ####\n"
    b"          <idle>-0       [001] d.h..  1000002: tracing_mark_write: B|1|x\n",
    b"0 1 41850315104 type: 101\n",
    b"00000000 00000001 00000009be792160 type: 101\n\n",
    b"irq_handler_entry: irq=11 name=arch_timer\n",
)
WORDS = (
    b"-", b" ", b"  ", b": ", b"\n", b"\r\n", b"\0", b"#", b"(", b")", b"[", b"]", b"us", b"=",
    b"%", b"0", b"99999999999999999999999", b"-1", b"0x", b"\xff\xfe", b"\xe2\x82\xac", b" => ",
    b"<idle>", b"[LOST 7 EVENTS]", b"CPU:", b"{", b"}", b"|", b"/*", b"*/", b"REC->",
    b"__get_str(", b'"', b"%s%p%*d", b"\x17\x08\x44tracing6\0", b"\x1f\x8b",
    b"\xff\xff\xff\xff", b"\0\0\0\x80", b"1" * 5000,
)  # fmt: skip


def seeds() -> list[bytes]:
    """Good traces."""
    logs = [path.read_bytes()[:3000] for path in sorted(TRACES.glob("*/trace"))[:12]]
    found = [log[: log.rfind(b"\n") + 1] for log in logs]
    records = some_records()
    for name in LAYOUTS:
        for latency in (False, True):
            form = TextFormat(name, record_tgid=latency, latency=latency)
            head = form.header(entries_in_buffer=3, entries_written=5)
            found.append((head + form.lines(records) + form.finish()).encode())
    found += [REPORT, GRAPH, *(TOP + other for other in OTHERS)]
    for is_big in (False, True):
        for bits in (32, 64):
            machine = Machine("6.1", is_big, bits)
            found.append(dat_files.file_of_records(machine, records, 2, KINDS, "Linux h 6.1.0 x"))
    return found


def some_records() -> list[Record]:
    """One of every event, and its values all alike."""
    records = []
    for number, point in enumerate(each for each in TRACEPOINTS if each.system != "ftrace"):
        kinds = KINDS[point]
        values = tuple(
            "word" if "char" in each.ctype or kinds[each.name].startswith("sym") else 3
            for each in point.fields
        )
        who = Context("init", 1 + number % 3, -1, number % 2, 9, 1)
        records.append((1_000_000_000 + number * 777_000, who, Event(point, values)))
    return records


def mutant(number: int, good: Sequence[bytes]) -> bytes:
    """One input."""
    draw = random.Random(number)
    data = bytearray(draw.choice(good))
    for _ in range(draw.choice((0, 1, 1, 2, 3, 8))):
        at = draw.randrange(len(data) + 1)
        end = min(len(data), at + draw.choice((0, 1, 1, 2, 4, 30, 300)))
        what = draw.randrange(6)
        if what == 0:
            data[at:end] = draw.randbytes(end - at)
        elif what == 1:
            data[at:end] = draw.choice(WORDS)
        elif what == 2:
            del data[at:end]
        elif what == 3:
            other = draw.choice(good)
            start = draw.randrange(len(other))
            data[at:end] = other[start : start + draw.randrange(400)]
        elif what == 4:
            data[at:end] = data[at:end] * draw.choice((2, 3, 50))
        elif at < len(data):
            data[at] ^= 1 << draw.randrange(8)
    if draw.randrange(8) == 0:
        packed = bytearray(gzip.compress(bytes(data), 1, mtime=0))
        if draw.randrange(2):
            del packed[draw.randrange(len(packed)) :]
        return bytes(packed)
    return bytes(data)


def survives(data: bytes, path: Path) -> str:
    """Read it; how that ended.  Fails for all but records and errors that have their place."""
    path.write_bytes(data)
    try:
        with open_trace(str(path)) as trace:
            form = TextFormat(trace.header.layout, clock_in_ns=trace.header.clock != "counts")
            last = 0
            for number, item in trace:
                assert number > last, "numbers rise"
                last = number
                assert isinstance(item, Lost) or form.lines([item])
            is_copied = trace.header.source in KERNEL_TEXT
            name = trace.header.source
    except TraceFormatError as error:
        place = re.match(rf"{re.escape(str(path))}(?::([0-9]+))?: .", str(error))
        assert place is not None, str(error)
        assert "\n" not in str(error)
        if place[1] is not None:
            assert 1 <= int(place[1]) <= data.count(b"\n") + 1 or data[:2] == b"\x1f\x8b"
        return "refused"
    if is_copied and data[:2] != b"\x1f\x8b":
        copy = io.BytesIO()
        with open_trace(str(path)) as trace:
            convert(trace, FORMATS["trace"], LineStream(copy))
        assert copy.getvalue() == data
    return name


def main() -> None:
    """Try so many inputs as the argument says, from the number in the second on."""
    nr_inputs = int(sys.argv[1]) if len(sys.argv) > 1 else INPUTS
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    good = seeds()
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "input")
        for number in range(first, first + nr_inputs):
            try:
                ends[survives(mutant(number, good), path)] += 1
            except BaseException:
                print(f"input {number}", file=sys.stderr)
                raise
    print(f"{nr_inputs} inputs: {dict(sorted(ends.items()))}")


if __name__ == "__main__":
    main()
