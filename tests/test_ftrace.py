"""Records as lines, and lines as records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.errors import TraceFormatError
from irqsim.events import (
    BH_OFF,
    FUNCTION,
    HARDIRQ,
    HRTIMER_START,
    IPI_RAISE,
    IRQ_HANDLER_ENTRY,
    IRQS_OFF,
    KERNEL_STACK,
    NAPI_POLL,
    NEED_RESCHED,
    NEED_RESCHED_LAZY,
    NMI,
    PREEMPT_LAZY_SHIFT,
    PREEMPT_MASK,
    PREEMPT_RESCHED,
    PRINT,
    SCHED_STAT_RUNTIME,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SOFTIRQ,
    SOFTIRQ_RAISE,
    TASK_PREEMPTED,
    TASKLET_ENTRY,
    TIMER_EXPIRE_ENTRY,
    TIMER_START,
    TRACEPOINTS,
    UNKNOWN,
    UNKNOWN_TGID,
    WORKQUEUE_ACTIVATE_WORK,
    WORKQUEUE_QUEUE_WORK,
    Context,
    Event,
    EventTable,
    Record,
    Tracepoint,
    Value,
    release_number,
)
from irqsim.trace.ftrace import TextFormat, delay_mark, lost_events_line
from irqsim.trace.kinds import mask_text, mask_value, pointer_text, pointer_value
from irqsim.trace.layout import LAYOUTS, column_header, flag_letters, parse_flags
from irqsim.trace.parse import LineParser, classify, parse_line, parse_lost
from irqsim.trace.payload import Payloads

IDLE = Context("<idle>", 0, UNKNOWN_TGID, 1, IRQS_OFF | HARDIRQ, 0)
TASK = Context("irq/34-GPIO Key", 55, 55, 12, 0, 0)
TIMER = Event(IRQ_HANDLER_ENTRY, (11, "arch_timer"))


def line(record: Record, layout: str = "6.1", **options: bool) -> str:
    form = TextFormat(layout, **options)
    return form.lines([record]) + form.finish()


# -- lines -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("4.19", "          <idle>-0     [001] d.h.     1.000002: irq_handler_entry: "),
        ("5.10", "          <idle>-0       [001] d.h.     1.000002: irq_handler_entry: "),
        ("6.1", "          <idle>-0       [001] d.h..     1.000002: irq_handler_entry: "),
        ("6.12", "          <idle>-0       [001] d.h..     1.000002: irq_handler_entry: "),
        ("6.1-rt", "          <idle>-0       [001] d..h...     1.000002: irq_handler_entry: "),
    ],
)
def test_a_line_in_every_layout(layout: str, expected: str) -> None:
    assert line((1_000_002_000, IDLE, TIMER), layout) == f"{expected}irq=11 name=arch_timer\n"


def test_a_line_without_flags_and_with_tgid() -> None:
    assert line((2_000_000_000, TASK, TIMER), irq_info=False, record_tgid=True) == (
        " irq/34-GPIO Key-55      (     55) [012]      2.000000:"
        " irq_handler_entry: irq=11 name=arch_timer\n"
    )
    assert line((0, IDLE, TIMER), "4.19", record_tgid=True).startswith(
        "          <idle>-0     (-----) [001] d.h.     0.000000: "
    )


@pytest.mark.parametrize(
    ("time_ns", "printed"),
    [
        (499, "    0.000000"),
        (500, "    0.000001"),
        (1_499, "    0.000001"),
        (999_999_499, "    0.999999"),
        (999_999_500, "    1.000000"),
        (12_345_678_901_000, "12345.678901"),
        (1_700_000_000_123_456_000, "1700000000.123456"),
    ],
)
def test_time_is_rounded_half_up(time_ns: int, printed: str) -> None:
    assert f"d.h.. {printed}: irq" in line((time_ns, IDLE, TIMER))


def test_a_clock_that_counts_events() -> None:
    form = TextFormat(clock_in_ns=False)
    assert "d.h..            2: irq_" in form.lines([(2, IDLE, TIMER)])


@given(st.lists(st.integers(0, 10**13), max_size=40))
def test_batches_do_not_show(times: list[int]) -> None:
    """One batch, batches of one, or uncached: the same text, in any order of times."""
    table = EventTable()
    records = [
        (time, table.context("t", time % 7, 1, 0, 0, 0), table.intern(SOFTIRQ_RAISE, time % 10))
        for time in times
    ]
    plain = [
        (time, Context(*who.contents()), Event(what.tracepoint, what.values))
        for time, who, what in records
    ]
    form, single, uncached = TextFormat(), TextFormat(), TextFormat()
    whole = form.lines(records)
    assert whole == "".join(single.lines([record]) for record in records)
    assert whole == uncached.lines(plain)


def test_many_contexts_and_events_in_any_order_of_their_numbers() -> None:
    """The caches grow as the numbers come, and -1 never meets another's text."""
    table = EventTable()
    contexts = [table.context(f"t{n}", n, n, 0, 0, 0) for n in range(50)]
    events = [table.intern(IRQ_HANDLER_ENTRY, n, "x") for n in range(50)]
    form = TextFormat()
    for number in [0, 1, 3, 2, 8, 7, 49, 20, 0, 49]:
        text = form.lines([(0, contexts[number], events[number])])
        assert f"t{number}-{number} " in text
        assert f"irq={number} " in text
        assert "arch_timer" in form.lines([(0, IDLE, TIMER)])


# -- flags -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "preempt_count", "four", "five", "seven"),
    [
        (0, 0, "....", ".....", "......."),
        (IRQS_OFF, 0, "d...", "d....", "d......"),
        (BH_OFF, 0, "....", "b....", "b......"),
        (IRQS_OFF | BH_OFF | HARDIRQ, 0, "d.h.", "D.h..", "D..h..."),
        (IRQS_OFF | NEED_RESCHED | HARDIRQ, 1, "dnh1", "dnh1.", "dn.h1.."),
        (NEED_RESCHED | PREEMPT_RESCHED | SOFTIRQ, 2, ".Ns2", ".Ns2.", ".N.s2.."),
        (PREEMPT_RESCHED, 0x1F, ".p.f", ".p.f1", ".p..f.1"),
        (IRQS_OFF | HARDIRQ | SOFTIRQ, 0, "d.H.", "d.H..", "d..H..."),
        (NMI | HARDIRQ, 0, "..Z.", "..Z..", "...Z..."),
        (NMI, 0, "..z.", "..z..", "...z..."),
        (NEED_RESCHED_LAZY | 3 << PREEMPT_LAZY_SHIFT, 0x20, "....", "....2", "..L..32"),
    ],
)
def test_flag_letters(flags: int, preempt_count: int, four: str, five: str, seven: str) -> None:
    """Source: trace_print_lat_fmt()."""
    for layout, expected in (("4.19", four), ("6.1", five), ("6.1-rt", seven)):
        assert flag_letters(LAYOUTS[layout], flags, preempt_count) == expected


@pytest.mark.parametrize("letters", ["d.h", "d.h...", "x.h..", "d.h.g", "d.hh.", "dZh.."])
def test_what_no_kernel_prints_is_no_flags(letters: str) -> None:
    with pytest.raises(ValueError, match="flag letters"):
        parse_flags(letters)


# -- headers -----------------------------------------------------------------------------


def test_headers_of_kernels_that_we_have_no_capture_of() -> None:
    """Source: print_func_help_header_irq() of 4.19 and 5.10."""
    assert column_header(LAYOUTS["4.19"], True, False) == (
        "#                              _-----=> irqs-off\n"
        "#                             / _----=> need-resched\n"
        "#                            | / _---=> hardirq/softirq\n"
        "#                            || / _--=> preempt-depth\n"
        "#                            ||| /     delay\n"
        "#           TASK-PID   CPU#  ||||    TIMESTAMP  FUNCTION\n"
        "#              | |       |   ||||       |         |\n"
    )
    assert column_header(LAYOUTS["4.19"], True, True).splitlines()[5:] == [
        "#           TASK-PID    TGID   CPU#  ||||    TIMESTAMP  FUNCTION",
        "#              | |        |      |   ||||       |         |",
    ]
    assert column_header(LAYOUTS["4.19"], False, False).splitlines() == [
        "#           TASK-PID     CPU#   TIMESTAMP  FUNCTION",
        "#              | |         |       |         |",
    ]
    assert column_header(LAYOUTS["5.10"], True, False).splitlines()[4:] == [
        "#                              ||| /     delay",
        "#           TASK-PID     CPU#  ||||   TIMESTAMP  FUNCTION",
        "#              | |         |   ||||      |         |",
    ]


def test_latency_format_says_nothing_of_an_empty_buffer() -> None:
    assert TextFormat(latency=True).header() == "# tracer: nop\n#\n"


def test_latency_format_of_four_columns() -> None:
    text = TextFormat("4.19", latency=True).header(entries_in_buffer=1, entries_written=2)
    assert text.splitlines()[3:] == [
        "# " + "-" * 68,
        "# latency: 0 us, #1/2, CPU#0 | (M:desktop VP:0, KP:0, SP:0 HP:0 #P:1)",
        "#    -----------------",
        "#    | task: -0 (uid:0 nice:0 policy:0 rt_prio:0)",
        "#    -----------------",
        "#",
        "#                  _------=> CPU#            ",
        "#                 / _-----=> irqs-off        ",
        "#                | / _----=> need-resched    ",
        "#                || / _---=> hardirq/softirq ",
        "#                ||| / _--=> preempt-depth   ",
        "#                |||| /     delay            ",
        "#  cmd     pid   ||||| time  |   caller      ",
        "#     \\   /      |||||  \\    |   /         ",
    ]


# -- latency-format, marks, stacks ---------------------------------------------------------


@pytest.mark.parametrize(
    ("delay_us", "mark"),
    [(0, " "), (10, " "), (11, "+"), (100, "+"), (101, "!"), (1001, "#"), (10_001, "*"),
     (100_001, "@"), (1_000_001, "$")],
)  # fmt: skip
def test_delay_marks(delay_us: int, mark: str) -> None:
    assert delay_mark(delay_us) == mark


def test_latency_format_looks_at_the_next_record() -> None:
    form = TextFormat(latency=True, start_ns=1_000_000)
    assert form.lines([(1_005_000, TASK, TIMER)]) == ""
    first = form.lines([(1_205_000, IDLE, TIMER)])
    assert first == "irq/34-G-55       12.....    5us!: irq_handler_entry: irq=11 name=arch_timer\n"
    last = "  <idle>-0         1d.h..  205us : irq_handler_entry: irq=11 name=arch_timer\n"
    assert form.finish() == last
    assert form.finish() == ""


def test_the_first_line_of_each_cpu_but_the_very_first_is_marked() -> None:
    form = TextFormat(annotate=True)
    other = Context("a", 1, 1, 3, 0, 0)
    text = form.lines([(0, IDLE, TIMER), (1, other, TIMER)]) + form.lines([(2, IDLE, TIMER)])
    assert [row for row in text.splitlines() if row.startswith("#")] == [
        "##### CPU 3 buffer started ####"
    ]
    assert text.splitlines()[1].startswith("#####")


def test_a_stack_is_several_lines() -> None:
    event = Event(KERNEL_STACK, ("el1_interrupt\nel1h_64_irq",))
    text = line((0, IDLE, event))
    assert text.splitlines()[0].endswith(": <stack trace>")
    assert text.splitlines()[1:] == [" => el1_interrupt", " => el1h_64_irq"]
    assert [classify(row) for row in text.splitlines()] == ["event", "stack", "stack"]


def test_lines_of_lost_events() -> None:
    assert lost_events_line(1, 308) == "CPU:1 [LOST 308 EVENTS]\n"
    assert lost_events_line(1, 0) == "CPU:1 [LOST EVENTS]\n"
    assert parse_lost("CPU:1 [LOST 308 EVENTS]") == (1, 308)
    assert parse_lost("CPU:12 [LOST EVENTS]") == (12, 0)
    with pytest.raises(TraceFormatError):
        parse_lost("CPU:1")


# -- the texts of events -------------------------------------------------------------------

TEXTS: list[tuple[str, Event, str]] = [
    ("6.1", Event(SOFTIRQ_RAISE, (4,)), "softirq_raise: vec=4 [action=BLOCK]"),
    ("6.1", Event(SOFTIRQ_RAISE, (12,)), "softirq_raise: vec=12 [action=0xc]"),
    ("6.1", Event(PRINT, ("tracing_mark_write", "B|1|x: y")), "tracing_mark_write: B|1|x: y"),
    ("6.1", Event(FUNCTION, ("irq_enter", "gic_handle_irq")), "irq_enter <-gic_handle_irq"),
    ("6.1", Event(UNKNOWN, ("foo", "a: b")), "foo: a: b"),
    ("6.1", Event(UNKNOWN, ("", "[LINE TOO BIG]")), "[LINE TOO BIG]"),
    (
        "6.1",
        Event(TASKLET_ENTRY, (0xFFFFB6881D0BDFC8, "kbd_bh")),
        "tasklet_entry: tasklet=0xffffb6881d0bdfc8 function=kbd_bh",
    ),
    (
        "6.1",
        Event(TASKLET_ENTRY, ("hook [irqscript]", "tasklet_1 [irqscript]")),
        "tasklet_entry: tasklet=hook [irqscript] function=tasklet_1 [irqscript]",
    ),
    (
        "6.1",
        Event(IPI_RAISE, (2, "Rescheduling interrupts")),
        "ipi_raise: target_mask=00000000,00000002 (Rescheduling interrupts)",
    ),
    (
        "6.1",
        Event(IPI_RAISE, ("00000002", "Rescheduling interrupts")),
        "ipi_raise: target_mask=00000002 (Rescheduling interrupts)",
    ),
    (
        "6.1",
        Event(SCHED_SWITCH, ("a b", 7, 120, TASK_PREEMPTED, "swapper/0", 0, 120)),
        "sched_switch: prev_comm=a b prev_pid=7 prev_prio=120 prev_state=R+ ==>"
        " next_comm=swapper/0 next_pid=0 next_prio=120",
    ),
    (
        "6.1",
        Event(SCHED_SWITCH, ("a", 7, -1, 0x82, "b", 8, 49)),
        "sched_switch: prev_comm=a prev_pid=7 prev_prio=-1 prev_state=D|I ==>"
        " next_comm=b next_pid=8 next_prio=49",
    ),
    (
        "6.1",
        Event(SCHED_WAKEUP, ("irq/34-GPIO Key", 55, 49, 3)),
        "sched_wakeup: comm=irq/34-GPIO Key pid=55 prio=49 target_cpu=003",
    ),
    (
        "6.1",
        Event(HRTIMER_START, (0x26317492, "tick_sched_timer", 7, 7, 10, 0)),
        "hrtimer_start: hrtimer=0000000026317492 function=tick_sched_timer expires=7"
        " softexpires=7 mode=ABS|PINNED|HARD was_armed=0",
    ),
    (
        "5.10",
        Event(HRTIMER_START, ("(____ptrval____)", "f", 7, 7, 1, None)),
        "hrtimer_start: hrtimer=(____ptrval____) function=f expires=7 softexpires=7 mode=REL",
    ),
    (
        "6.1",
        Event(TIMER_START, ("3201303a", "f", 4294897659, None, 4294897658, 60 << 22 | 0x280001)),
        "timer_start: timer=3201303a function=f expires=4294897659 [timeout=1] cpu=1 idx=60"
        " flags=D|I",
    ),
    (
        "6.12",
        Event(TIMER_START, (1, "f", 20, 24, 30, 0)),
        "timer_start: timer=0000000000000001 function=f expires=20 [timeout=-10]"
        " bucket_expiry=24 cpu=0 idx=0 flags=",
    ),
    (
        "4.19",
        Event(TIMER_EXPIRE_ENTRY, (1, 20, "f", None)),
        "timer_expire_entry: timer=0000000000000001 function=f now=20",
    ),
    (
        "4.19",
        Event(WORKQUEUE_QUEUE_WORK, (1, "f", 2, 4, -1)),
        "workqueue_queue_work: work struct=0000000000000001 function=f"
        " workqueue=0000000000000002 req_cpu=4 cpu=4294967295",
    ),
    (
        "6.12",
        Event(WORKQUEUE_ACTIVATE_WORK, (1, "f [m]")),
        "workqueue_activate_work: work struct 0000000000000001 function=f [m] ",
    ),
    (
        "6.1",
        Event(WORKQUEUE_ACTIVATE_WORK, (1, "f")),
        "workqueue_activate_work: work struct 0000000000000001",
    ),
    (
        "6.1",
        Event(NAPI_POLL, (1, "", 2, 8)),
        "napi_poll: napi poll on napi struct 0000000000000001 for device  work 2 budget 8",
    ),
    (
        "6.12",
        Event(SCHED_STAT_RUNTIME, ("a", 1, 5, 6)),
        "sched_stat_runtime: comm=a pid=1 runtime=5 [ns]",
    ),
]


@pytest.mark.parametrize(("layout", "event", "text"), TEXTS, ids=[text for _, _, text in TEXTS])
def test_the_text_of_an_event(layout: str, event: Event, text: str) -> None:
    payloads = Payloads(layout)
    assert payloads.text(event) == text
    assert payloads.text(payloads.parse(text, EventTable())) == text


def test_another_release_prints_what_the_record_has() -> None:
    """A record read from a log of another release keeps its own format."""
    old = Payloads("4.19")
    text = "timer_expire_entry: timer=00000001 function=f now=2"
    event = Payloads("6.1").parse(text, EventTable())
    assert event.values[3] is None
    assert Payloads("6.1").text(event) == old.text(event)


def test_what_would_print_otherwise_keeps_its_text() -> None:
    """Padding of trace-cmd, raw fields, names that do not fit their number."""
    for text in (
        "irq_handler_entry:    irq=11 name=arch_timer",
        "softirq_raise: vec=9",
        "softirq_raise: vec=9 [action=TIMER]",
        "irq_handler_entry: irq=011 name=x",
        "sched_switch: swapper/0:0 [120] R ==> trace-cmd:3489 [120]",
        "function: x",
        ": x",
        "",
    ):
        event = Payloads("6.1").parse(text, EventTable())
        assert event.tracepoint is UNKNOWN
        assert Payloads("6.1").text(event) == text


def test_masks_and_pointers_of_other_widths() -> None:
    assert mask_text(5, 4) == 5
    assert mask_text(5, 4, long_bits=32) == "00000005"
    assert mask_text(1 << 70, 100) == "00000000,00000040,00000000,00000000"
    assert mask_value("00000000,00000040,00000000,00000000") == 1 << 70
    assert mask_value(5) == 5
    assert pointer_text(0x10) == 0x10
    assert pointer_text(0x10, 32) == "00000010"
    assert pointer_value("00000010") == pointer_value(0x10) == 0x10
    assert pointer_value("(ptrval)") == 0


# -- lines as records ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "blank"),
        ("# tracer: nop", "header"),
        ("#              | |         |   |||||     |         |", "header"),
        ("##### CPU 1 buffer started ####", "started"),
        ("CPU:1 [LOST 308 EVENTS]", "lost"),
        (" => irq_exit_rcu", "stack"),
        ("  <idle>-0         2d.h.. 27653us+: irq_handler_entry: irq=1 name=x", "latency"),
        (" 3) ! 173.696 us  |  mutex_unlock();", "graph"),
        (" 1)   ==========> |", "graph"),
        ("   64.321057 |   3)     init-1     | + 25.568 us   |  mutex_unlock();", "graph"),
        (" ------------------------------------------", "other"),
        ("cpus=4", "other"),
        ("          <idle>-0     [000]   134.942358: irq_handler_entry:    irq=11 name=x", "event"),
        ("            dd-1     [000] d.h..     1.942358: irq_enter_rcu <-gic_handle_irq", "event"),
        ("            dd-1     [000] d.h..     1.942358: ", "event"),
    ],
)
def test_classify(text: str, kind: str) -> None:
    assert classify(text) == kind


@given(st.text(alphabet=st.characters(exclude_characters="\n"), max_size=80))
def test_no_line_makes_the_reader_fail(text: str) -> None:
    """Any line is classified; one that is no event is refused with the error for it."""
    if classify(text) in ("event", "latency"):
        return
    with pytest.raises(TraceFormatError):
        parse_line(text)


def test_the_parts_of_a_line() -> None:
    head = " irq/32-virtio5--136     (  14303) [003] dNH12    27.398397: "
    time, who, what = parse_line(f"{head}softirq_raise: vec=4 [action=BLOCK]\n")
    assert time == 27_398_397_000
    assert (who.comm, who.pid, who.tgid, who.cpu) == ("irq/32-virtio5-", 136, 14303, 3)
    assert who.flags == IRQS_OFF | NEED_RESCHED | PREEMPT_RESCHED | HARDIRQ | SOFTIRQ
    assert who.preempt_count == 0x21
    assert what == Event(SOFTIRQ_RAISE, (4,))


def test_impossible_flags_are_an_error_of_the_trace() -> None:
    with pytest.raises(TraceFormatError, match="flag letters"):
        parse_line("          <idle>-0       [001] dxh..     1.000002: a: b")


# -- there and back ------------------------------------------------------------------------

NAMES = st.text(
    alphabet=st.sampled_from("abcz09 /-_:<>[].()#=+"), min_size=1, max_size=15
).filter(lambda name: not name.startswith(" "))
WORDS = st.text(alphabet="abcxyz_09./", min_size=1, max_size=12)
SYMBOLS = st.one_of(
    WORDS.filter(lambda word: word[0] not in "0123456789"),
    st.integers(0, 2**64 - 1),
    WORDS.map(lambda word: f"f_{word} [mod]"),
)
POINTERS = st.one_of(
    st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1).map(lambda value: f"{value:08x}")
)
U31 = st.integers(0, 2**31 - 1)


def values_of(tracepoint: Tracepoint, layout: str) -> st.SearchStrategy[tuple[Value, ...]]:
    """Values that a kernel of the layout's release could record."""
    shown = tracepoint.format_in(release_number(layout)).template
    return st.tuples(*(value_of(tracepoint, each.name, shown) for each in tracepoint.fields))


def value_of(tracepoint: Tracepoint, name: str, shown: str) -> st.SearchStrategy[Value]:
    if f"{{{name}" not in shown:
        return st.none()
    ctype = tracepoint.fields[tracepoint.index_of[name]].ctype
    special: dict[str, st.SearchStrategy[Value]] = {
        "vec": st.integers(0, 9),
        "ret": st.integers(0, 1),
        "prev_state": st.integers(0, 2 * TASK_PREEMPTED - 1),
        "mode": st.sampled_from([0, 1, 2, 3, 4, 6, 8, 10]),
        "clockid": st.sampled_from([0, 1, 7, 11, 5]),
        "dependency": st.sampled_from([0, 1, 2, 4, 8, 16, 32]),
        "caller": st.lists(WORDS, max_size=3).map("\n".join),
        "target_cpus": st.one_of(st.integers(0, 2**64 - 1), st.just("00000004")),
        "cpumask": st.integers(0, 2**64 - 1),
        "flags": st.integers(0, 2**32 - 1),
    }
    if name in special:
        return special[name]
    if f"{{{name}:sym" in shown:
        return SYMBOLS
    if f"{{{name}:p}}" in shown or ("*" in ctype and "char" not in ctype):
        return POINTERS
    if "char" in ctype:
        return WORDS
    return U31


DECLARED = [each for each in TRACEPOINTS if each not in (PRINT, UNKNOWN, KERNEL_STACK)]


@st.composite
def records(draw: st.DrawFn, layout: str) -> Record:
    """A record as `layout` can show it whole: to the microsecond, flags that have letters."""
    columns = LAYOUTS[layout]
    flags = draw(st.integers(0, 511)) & ~2
    depth = draw(st.integers(0, 255))
    if not columns.has_bh:
        flags &= ~BH_OFF
    if columns.is_rt:
        flags |= draw(st.integers(0, 15)) << PREEMPT_LAZY_SHIFT
    else:
        flags &= ~NEED_RESCHED_LAZY
    if "migrate-disable" not in columns.columns:
        depth &= PREEMPT_MASK
    if flags & NMI:
        flags &= ~SOFTIRQ
    who = Context(
        draw(NAMES),
        draw(st.integers(0, 4_194_304)),
        draw(st.one_of(st.just(UNKNOWN_TGID), st.integers(0, 99_999))),
        draw(st.integers(0, 1023)),
        flags,
        depth,
    )
    tracepoint = draw(st.sampled_from(DECLARED))
    values = draw(values_of(tracepoint, layout))
    return draw(st.integers(0, 10**12)) * 1000, who, Event(tracepoint, values)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(data=st.data())
def test_what_is_printed_reads_back_as_the_same_records(layout: str, data: st.DataObject) -> None:
    """print, then parse: the same records, in each layout."""
    written = data.draw(st.lists(records(layout), max_size=5))
    text = TextFormat(layout, record_tgid=True).lines(written)
    parser = LineParser(layout)
    assert [parser.parse(row) for row in text.split("\n")[:-1]] == written


@pytest.mark.parametrize("layout", LAYOUTS)
@given(data=st.data())
def test_without_flags_and_tgid_the_rest_reads_back(layout: str, data: st.DataObject) -> None:
    time, who, what = data.draw(records(layout))
    text = TextFormat(layout, irq_info=False).lines([(time, who, what)])
    bare = Context(who.comm, who.pid, UNKNOWN_TGID, who.cpu, 0, 0)
    assert parse_line(text, layout) == (time, bare, what)


@given(data=st.data())
def test_a_line_of_latency_format_reads_back(data: st.DataObject) -> None:
    """Only the task's name is cut."""
    time, who, what = data.draw(records("6.1"))
    form = TextFormat(latency=True)
    text = form.lines([(time, who, what)]) + form.finish()
    cut = Context(who.comm[:8], who.pid, UNKNOWN_TGID, who.cpu, who.flags, who.preempt_count)
    assert parse_line(text) == (time, cut, what)


def test_a_name_that_is_not_ascii_is_padded_by_bytes() -> None:
    """C counts bytes."""
    who = Context("größe", 7, 7, 0, 0, 0)
    text = line((0, who, TIMER))
    assert text.startswith(" " * 9 + "größe-7 ")
    assert parse_line(text)[1].comm == "größe"
