"""How each generation of kernels lays out a line of ``trace``, and the header above it.

A layout is data: how wide the pid is, which flag columns there are, and the few strings of
the header that no rule gives.  Five generations matter: four columns and a narrow pid
(up to 5.9), four columns (up to 5.14), five (since 5.15; in the wording of 5.17), and the
seven of the PREEMPT_RT patches.

Source: kernel/trace/trace.c: print_func_help_header(), print_func_help_header_irq(),
print_lat_help_header(), print_trace_header(); kernel/trace/trace_output.c:
trace_print_lat_fmt().
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from irqsim.events import (
    BH_OFF,
    HARDIRQ,
    IRQS_OFF,
    MIGRATE_SHIFT,
    NEED_RESCHED,
    NEED_RESCHED_LAZY,
    NMI,
    PREEMPT_LAZY_SHIFT,
    PREEMPT_MASK,
    PREEMPT_RESCHED,
    SOFTIRQ,
)

PREEMPT_MODELS: Final = ("server", "desktop", "preempt", "preempt_rt")
"""What the latency header calls none, voluntary, full and rt."""


@frozen
class Layout:
    """One generation's lines."""

    name: str
    """What ``--layout`` calls it; its numbers are the release whose events are printed."""
    pid_width: int
    tgid_width: int
    columns: tuple[str, ...]
    """The labels of the flag columns, as in the header."""
    has_bh: bool
    """The first column knows ``b`` and ``D``."""
    # The header: TGID stands for what record-tgid inserts, or the blanks without it.
    legend_indent: int
    task_line: str
    task_rule: str
    plain_line: str
    plain_rule: str
    tgid_texts: tuple[tuple[str, str], ...]
    """What TGID is in the four lines above: (without, with) record-tgid."""
    latency_indent: int
    latency_tail: tuple[str, str, str]

    @property
    def is_rt(self) -> bool:
        return "need-resched-lazy" in self.columns


_FIVE: Final = ("irqs-off/BH-disabled", "need-resched", "hardirq/softirq", "preempt-depth")
_FOUR: Final = ("irqs-off", *_FIVE[1:])
_WIDE_TGIDS: Final = (
    ("  ", "     TGID   "),
    ("  ", "       |    "),
    ("", "   TGID   "),
    ("", "     |    "),
)


def _five_columns(name: str) -> Layout:
    return Layout(
        name=name,
        pid_width=7,
        tgid_width=7,
        columns=(*_FIVE, "migrate-disable"),
        has_bh=True,
        legend_indent=32,
        task_line="#           TASK-PID  TGID CPU#  |||||  TIMESTAMP  FUNCTION",
        task_rule="#              | |    TGID   |   |||||     |         |",
        plain_line="#           TASK-PID    TGID CPU#     TIMESTAMP  FUNCTION",
        plain_rule="#              | |      TGID   |         |         |",
        tgid_texts=_WIDE_TGIDS,
        latency_indent=20,
        latency_tail=(
            "delay           ",
            "#  cmd     pid     |||||| time  |   caller     ",
            "#     \\   /        ||||||  \\    |    /       ",
        ),
    )


LAYOUTS: Final[dict[str, Layout]] = {
    each.name: each
    for each in (
        Layout(
            name="4.19",
            pid_width=5,
            tgid_width=5,
            columns=_FOUR,
            has_bh=False,
            legend_indent=30,
            task_line="#           TASK-PID TGIDCPU#  ||||    TIMESTAMP  FUNCTION",
            task_rule="#              | |   TGID  |   ||||       |         |",
            plain_line="#           TASK-PID   TGID  CPU#   TIMESTAMP  FUNCTION",
            plain_rule="#              | |     TGID    |       |         |",
            tgid_texts=(
                ("  ", "   TGID   "),
                ("  ", "     |    "),
                ("", "TGID     "),
                ("", "  |      "),
            ),
            latency_indent=18,
            latency_tail=(
                "delay            ",
                "#  cmd     pid   ||||| time  |   caller      ",
                "#     \\   /      |||||  \\    |   /         ",
            ),
        ),
        Layout(
            name="5.10",
            pid_width=7,
            tgid_width=7,
            columns=_FOUR,
            has_bh=False,
            legend_indent=32,
            task_line="#           TASK-PID  TGID CPU#  ||||   TIMESTAMP  FUNCTION",
            task_rule="#              | |    TGID   |   ||||      |         |",
            plain_line="#           TASK-PID    TGID CPU#     TIMESTAMP  FUNCTION",
            plain_rule="#              | |      TGID   |         |         |",
            tgid_texts=_WIDE_TGIDS,
            latency_indent=20,
            latency_tail=(
                "delay            ",
                "#  cmd     pid     ||||| time  |   caller      ",
                "#     \\   /        |||||  \\    |   /         ",
            ),
        ),
        _five_columns("6.1"),
        _five_columns("6.6"),
        _five_columns("6.12"),
        Layout(
            name="6.1-rt",
            pid_width=7,
            tgid_width=7,
            columns=(
                "irqs-off/BH-disabled",
                "need-resched",
                "need-resched-lazy",
                "hardirq/softirq",
                "preempt-depth",
                "preempt-lazy-depth",
                "migrate-disable",
            ),
            has_bh=True,
            legend_indent=32,
            task_line="#           TASK-PID  TGID CPU#  |||||||  TIMESTAMP  FUNCTION",
            task_rule="#              | |    TGID   |   |||||||      |         |",
            plain_line="#           TASK-PID    TGID CPU#     TIMESTAMP  FUNCTION",
            plain_rule="#              | |      TGID   |         |         |",
            tgid_texts=_WIDE_TGIDS,
            latency_indent=20,
            latency_tail=(
                "delay           ",
                "#  cmd     pid     |||||||| time  |   caller     ",
                "#     \\   /        ||||||||  \\    |    /       ",
            ),
        ),
    )
}


# -- flags -------------------------------------------------------------------------------

_DEPTH: Final = ".123456789abcdef"
_IRQS: Final = {"D": IRQS_OFF | BH_OFF, "d": IRQS_OFF, "b": BH_OFF, ".": 0}
_RESCHEDS: Final = {
    "N": NEED_RESCHED | PREEMPT_RESCHED,
    "n": NEED_RESCHED,
    "p": PREEMPT_RESCHED,
    ".": 0,
}
# Since 6.13 the lazy request stands in the same column; no layout here prints it there.
_ALL_RESCHEDS: Final = _RESCHEDS | {
    "B": NEED_RESCHED_LAZY | NEED_RESCHED | PREEMPT_RESCHED,
    "b": NEED_RESCHED_LAZY | NEED_RESCHED,
    "L": NEED_RESCHED_LAZY | PREEMPT_RESCHED,
    "l": NEED_RESCHED_LAZY,
}
_LAZY: Final = {"L": NEED_RESCHED_LAZY, ".": 0}
_CONTEXTS: Final = {
    "Z": NMI | HARDIRQ,
    "z": NMI,
    "H": HARDIRQ | SOFTIRQ,
    "h": HARDIRQ,
    "s": SOFTIRQ,
    ".": 0,
}


def flag_letters(layout: Layout, flags: int, preempt_count: int) -> str:
    """The flag columns of a context.

    Source: trace_print_lat_fmt().
    """
    irqs = "d" if flags & IRQS_OFF else "."
    if layout.has_bh and flags & BH_OFF:
        irqs = "D" if flags & IRQS_OFF else "b"
    if flags & NEED_RESCHED:
        resched = "N" if flags & PREEMPT_RESCHED else "n"
    else:
        resched = "p" if flags & PREEMPT_RESCHED else "."
    lazy = lazy_depth = migrate = ""
    if layout.is_rt:
        lazy = "L" if flags & NEED_RESCHED_LAZY else "."
        lazy_depth = _DEPTH[flags >> PREEMPT_LAZY_SHIFT & 15]
    if "migrate-disable" in layout.columns:
        migrate = _DEPTH[preempt_count >> MIGRATE_SHIFT & 15]
    depth = _DEPTH[preempt_count & PREEMPT_MASK]
    return f"{irqs}{resched}{lazy}{_context_letter(flags)}{depth}{lazy_depth}{migrate}"


def parse_flags(letters: str) -> tuple[int, int]:
    """The flags and the preempt_count that print as these letters; none: (0, 0).

    Raises ValueError for what no kernel prints.
    """
    if not letters:
        return 0, 0
    if len(letters) not in (4, 5, 7):
        raise ValueError(f"expected 4, 5 or 7 flag letters, got {letters!r}")
    if len(letters) == 7:
        irqs, resched, lazy, context, depth, lazy_depth, migrate = tuple(letters)
    else:
        irqs, resched, context, depth, migrate = tuple(letters.ljust(5, "."))
        lazy = lazy_depth = "."
    try:
        rescheds = _RESCHEDS if len(letters) == 7 else _ALL_RESCHEDS
        flags = _IRQS[irqs] | rescheds[resched] | _LAZY[lazy] | _CONTEXTS[context]
        flags |= _DEPTH.index(lazy_depth) << PREEMPT_LAZY_SHIFT
        return flags, _DEPTH.index(depth) | _DEPTH.index(migrate) << MIGRATE_SHIFT
    except (KeyError, ValueError):
        raise ValueError(f"not flag letters: {letters!r}") from None


def _context_letter(flags: int) -> str:
    if flags & NMI:
        return "Z" if flags & HARDIRQ else "z"
    if flags & HARDIRQ:
        return "H" if flags & SOFTIRQ else "h"
    return "s" if flags & SOFTIRQ else "."


# -- headers -----------------------------------------------------------------------------


def column_header(layout: Layout, irq_info: bool, record_tgid: bool) -> str:
    """The legend and the names of the columns."""
    lines = []
    if irq_info:
        extra = len(layout.tgid_texts[0][1]) - len(layout.tgid_texts[0][0])
        indent = "#" + " " * (layout.legend_indent - 2 + extra * record_tgid)
        lines += [indent + row for row in _legend(layout.columns)]
        texts = (layout.task_line, layout.task_rule)
        tgids = layout.tgid_texts[:2]
    else:
        texts = (layout.plain_line, layout.plain_rule)
        tgids = layout.tgid_texts[2:]
    for text, tgid in zip(texts, tgids, strict=True):
        lines.append(text.replace("TGID", tgid[record_tgid], 1))
    return "".join(f"{line}\n" for line in lines)


def latency_column_header(layout: Layout) -> str:
    """The same for latency-format: one column more, and blanks at the ends of the lines."""
    delay, names, rule = layout.latency_tail
    indent = "#" + " " * (layout.latency_indent - 2)
    rows = _legend(("CPU#", *layout.columns), dashes=1)
    lines = [indent + _pad_label(row) for row in rows[:-1]]
    lines.append(indent + rows[-1].removesuffix("delay") + delay)
    return "".join(f"{line}\n" for line in [*lines, names, rule])


def _legend(labels: tuple[str, ...], dashes: int = 0) -> list[str]:
    """The staircase of labels, and the delay below it."""
    first = max(len(labels), 5 + dashes)
    rows = [f"  _{'-' * first}=> {labels[0]}"]
    for index, label in enumerate(labels[1:], start=1):
        rows.append(f"{'|' * (index - 1)} / _{'-' * (first - index)}=> {label}")
    rows.append(f"{'|' * (len(labels) - 1)} /     delay")
    return rows


def _pad_label(row: str) -> str:
    head, arrow, label = row.partition("=> ")
    return f"{head}{arrow}{label:<16}"
