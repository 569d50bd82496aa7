"""The head of a text trace: what its comments and its first line say of all that follows.

Source: kernel/trace/trace.c: print_trace_header(), print_func_help_header(),
print_func_help_header_irq(), print_lat_help_header(), trace_default_header().
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attrs import evolve

from irqsim.events import TRACEPOINT_BY_NAME
from irqsim.records import TraceHeader, release_number
from irqsim.trace.layout import LAYOUTS
from irqsim.trace.payload import Payloads

_TRACER: Final = re.compile(r"# tracer: (\S+)")
_ENTRIES: Final = re.compile(r"# entries-in-buffer/entries-written: ([0-9]+)/([0-9]+) +#P:([0-9]+)")
_LATENCY: Final = re.compile(r"# \S+ latency trace v\S+ on (\S+)")
_COUNTS: Final = re.compile(
    r"# latency: [0-9]+ us, #([0-9]+)/([0-9]+), CPU#[0-9]+ \| \(M:(\S+) .*#P:([0-9]+)\)"
)
_BOTH_COUNTS: Final = re.compile(
    r"(# entries-in-buffer/entries-written: |# latency: [0-9]+ us, #)([0-9]{1,18})/([0-9]{1,18})"
)
_LABEL: Final = re.compile(r"#[ |/]*_-*=> ([^ ]+)")
_CPUS: Final = re.compile(r"cpus=([0-9]+)")
_HEAD: Final = re.compile(r"cpus=[0-9]+|version = [0-9]+|CPU [0-9]+ is empty|#.*|\s*")
_NOTE: Final = re.compile(
    r"(?:Average wakeup l|Maximum L|Minimum L)atency: .*"
    r"| -{20,}| *[0-9.]* \|? *[0-9]+\) .* => .*|\[LINE TOO BIG\]"
)
_PLAIN: Final = re.compile(
    r"(?:.{16}|.*?)-([0-9]+ +)(\(.*?\) )?\[[0-9]+\] ([^ ]{4,7}(?= ))? *[0-9]+(\.[0-9]+)?: "
)
_LATE: Final = re.compile(
    r"(?:.{8}|.*?)-[0-9]+ +[0-9]+([^0-9 ][^ ]{3,6}) +[0-9]+(?:(us.)|(\.[0-9]+))?: "
)
_PADDED: Final = re.compile(r"[0-9]: [a-z_]\w*: {2,}[^ ]")
"""trace-cmd aligns what it prints of an event."""
_CLOCKS: Final = {0: "counts", 6: "us", 9: "ns"}
_VERSION: Final = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")
_TEXT: Final = re.compile(r"[0-9](?:us.)?: ([a-z_]+): (.*)")
_GUESS_MAX: Final = 200
"""Lines by which a release is guessed."""
_DIGITS_MAX: Final = 9
"""A number with more of them is none of ours."""


def read_header(lines: Sequence[str]) -> TraceHeader:
    """What the lines above the first event say."""
    header = TraceHeader()
    labels: list[str] = []
    for line in lines:
        if not line.startswith("#"):
            if cpus := _CPUS.fullmatch(line):
                header = evolve(header, source="trace-cmd", nr_cpus=_number(cpus[1]))
        elif label := _LABEL.match(line):
            if label[1] not in ("CPU#", *labels):
                labels.append(label[1])
        else:
            header = _say(header, line)
    if header.source in ("ftrace", "latency") and not labels:
        header = evolve(header, has_irq_info=header.tracer == "function_graph")
    return evolve(header, layout=_layout(labels, lines) or header.layout)


def is_head(line: str) -> bool:
    """Whether a line can stand above the first event."""
    return _HEAD.fullmatch(line) is not None


def _like(default: str, letters: str | None, width: int) -> str:
    """The layout with so many letters and such a place for the pid, as far as one has them."""
    found = [default]
    if letters is not None:
        alike = [each.name for each in LAYOUTS.values() if len(each.columns) == len(letters)]
        found = alike or found
    placed = [name for name in (*found, *LAYOUTS) if LAYOUTS[name].pid_width == width]
    return placed[0] if placed and (letters is None or placed[0] in found) else found[0]


def is_note(line: str) -> bool:
    """Whether a line that is no event, and no comment, can stand among events."""
    return _NOTE.fullmatch(line) is not None or is_head(line)


def look_at(header: TraceHeader, first: str) -> TraceHeader:
    """What the first event's line adds to a header, or to none."""
    if plain := _PLAIN.match(first):
        pid, tgid, letters, fraction = plain.groups()
        width = len(pid) - 1
        clock = _CLOCKS.get(len(fraction or ".") - 1, "us")
        header = evolve(header, has_irq_info=letters is not None, has_tgid=tgid is not None)
    elif late := _LATE.match(first):
        letters, unit, fraction = late.groups()
        width = 0
        clock = _CLOCKS.get(len(fraction or ".") - 1, "us")
        clock = "us" if unit else clock
        if header.source == "trace_pipe":
            header = evolve(header, source="latency")
    else:
        return header
    if header.source == "trace_pipe" and _PADDED.search(first):
        header = evolve(header, source="trace-cmd")
    if letters is None or len(letters) != len(LAYOUTS[header.layout].columns):
        header = evolve(header, layout=_like(header.layout, letters, width))
    return evolve(header, clock=clock)


def guess_release(header: TraceHeader, lines: Sequence[str]) -> str:
    """Of the layouts that print lines of this form, the one whose events these are.

    The events of most releases look alike: where they do not say, it is the oldest.
    """
    own = LAYOUTS[header.layout]
    names = [
        each.name
        for each in LAYOUTS.values()
        if each.pid_width == own.pid_width
        and (each.columns == own.columns or not (header.has_irq_info or each.is_rt))
    ]
    # What nothing speaks against is what most people have.
    names.sort(key=lambda name: name != header.layout)
    if header.kernel_version and (found := _VERSION.match(header.kernel_version)):
        known = [name for name in names if release_number(name) <= (int(found[1]), int(found[2]))]
        return known[-1] if known else names[0]
    if len(names) == 1:
        return names[0]
    scores = dict.fromkeys(names, 0)
    payloads = {name: Payloads(name) for name in names}
    for line in lines[:_GUESS_MAX]:
        if (text := _TEXT.search(line)) and text[1] in TRACEPOINT_BY_NAME:
            for name in names:
                scores[name] += payloads[name].is_own(text[1], text[2])
    return max(names, key=lambda name: scores[name])


def recount(text: str, nr_records: int) -> str:
    """A header above fewer records; as many as before were overwritten."""

    def counts(found: re.Match[str]) -> str:
        nr_lost = max(0, int(found[3]) - int(found[2]))
        return f"{found[1]}{nr_records}/{nr_records + nr_lost}"

    return _BOTH_COUNTS.sub(counts, text)


def _say(header: TraceHeader, line: str) -> TraceHeader:
    if found := _TRACER.match(line):
        return evolve(header, source="ftrace", tracer=found[1])
    if found := _ENTRIES.match(line):
        return evolve(
            header,
            entries_in_buffer=_number(found[1]),
            entries_written=_number(found[2]),
            nr_cpus=_number(found[3]),
        )
    if found := _LATENCY.match(line):
        return evolve(header, source="latency", kernel_version=found[1])
    if found := _COUNTS.match(line):
        return evolve(
            header,
            entries_in_buffer=_number(found[1]),
            entries_written=_number(found[2]),
            preempt_model=found[3],
            nr_cpus=_number(found[4]),
        )
    if " TGID " in line:
        return evolve(header, has_tgid=True)
    return header


def _layout(labels: list[str], lines: Sequence[str]) -> str | None:
    """The oldest layout with these columns, and this place for the CPU."""
    for layout in LAYOUTS.values():
        if len(layout.columns) != len(labels):
            continue
        # Where the pid is narrow, so is the gap before the CPU.
        is_narrow = any("TASK-PID   CPU#" in line or "TGIDCPU#" in line for line in lines)
        if is_narrow == (layout.pid_width == 5) or len(labels) > 4:
            return layout.name
    return None


def _number(digits: str) -> int | None:
    return int(digits) if len(digits) <= _DIGITS_MAX else None
