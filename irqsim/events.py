"""Every tracepoint, declared once, and the records that a run consists of.

A record says when, who and what: ``(time_ns, Context, Event)``.  Printing, parsing,
``irqsim list events`` and the format files of trace.dat all follow from the
declarations below; nothing here knows how a line of text looks.

A print format is a template: ``{field}`` prints a field in the way of its C type,
``{field:kind}`` in the way of that kind (``irqsim.trace.payload`` holds the table of
kinds).  Formats and fields that came or went with a release carry their range.

Source: the event format files of 6.1 and 6.12; for other releases the history of
include/trace/events/.
Leaves out: fields that no text shows (``success`` of sched_wakeup in 4.19).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from attrs import field as attrs_field
from attrs import frozen

Value: TypeAlias = int | str | None
"""What a field holds.  None: the release that wrote the record has no such field.

Pointers are ints if they print in the 64-bit form, strings (the digits) otherwise; with
symbol kinds a string is the symbol.  CPU masks are ints if they print as two 32-bit
words, strings (as printed) otherwise.
"""

Release: TypeAlias = tuple[int, int]

FIRST: Final[Release] = (0, 0)
NEVER: Final[Release] = (99, 0)

# Bits of Context.flags.  The low eight are those of struct trace_entry.
IRQS_OFF: Final = 1
NEED_RESCHED: Final = 4
HARDIRQ: Final = 8
SOFTIRQ: Final = 16
PREEMPT_RESCHED: Final = 32
NMI: Final = 64
BH_OFF: Final = 128
NEED_RESCHED_LAZY: Final = 256
PREEMPT_LAZY_SHIFT: Final = 12
"""Bits 12 to 15 of Context.flags hold the depth of preempt_lazy_disable() (PREEMPT_RT)."""

# Context.preempt_count: depth of preempt_disable() and of migrate_disable(), 0 to 15 each.
PREEMPT_MASK: Final = 0x0F
MIGRATE_SHIFT: Final = 4

UNKNOWN_TGID: Final = -1

# prev_state of sched_switch.
TASK_RUNNING: Final = 0x00
TASK_INTERRUPTIBLE: Final = 0x01
TASK_UNINTERRUPTIBLE: Final = 0x02
TASK_STOPPED: Final = 0x04
TASK_TRACED: Final = 0x08
TASK_DEAD: Final = 0x10
TASK_ZOMBIE: Final = 0x20
TASK_PARKED: Final = 0x40
TASK_IDLE: Final = 0x80
TASK_PREEMPTED: Final = 0x100
"""Preempted inside the kernel while runnable: the plus of ``R+``."""

# ret of irq_handler_exit.
IRQ_NONE: Final = 0
IRQ_HANDLED: Final = 1
IRQ_WAKE_THREAD: Final = 2

# mode of hrtimer_start: bits.
HRTIMER_MODE_ABS: Final = 0
HRTIMER_MODE_REL: Final = 1
HRTIMER_MODE_PINNED: Final = 2
HRTIMER_MODE_SOFT: Final = 4
HRTIMER_MODE_HARD: Final = 8

# flags of timer_start: the CPU, four bits, and the index of the wheel's bucket.
TIMER_CPU_MASK: Final = 0x3FFFF
TIMER_MIGRATING: Final = 0x40000
TIMER_DEFERRABLE: Final = 0x80000
TIMER_PINNED: Final = 0x100000
TIMER_IRQSAFE: Final = 0x200000
TIMER_ARRAY_SHIFT: Final = 22


@frozen
class Field:
    """A member of a tracepoint's binary record, with its type as the format files spell it."""

    ctype: str
    name: str
    since: Release = FIRST
    until: Release = NEVER
    """The first release that no longer has it."""


@frozen
class Format:
    """A print format and the releases that use it."""

    template: str
    since: Release = FIRST
    until: Release = NEVER
    """The first release that no longer uses it."""


@frozen(eq=False)
class Tracepoint:
    """A tracepoint: what it records and how each release prints that."""

    id: int
    system: str
    name: str
    fields: tuple[Field, ...]
    formats: tuple[Format, ...]
    """Newest first."""
    since: Release = FIRST
    until: Release = NEVER
    is_volatile: bool = False
    """The values hardly ever repeat, so that interning its events would not pay."""
    index_of: dict[str, int] = attrs_field(init=False, repr=False)
    """Position of a field's value in Event.values."""

    @index_of.default
    def _index_of(self) -> dict[str, int]:
        return {each.name: index for index, each in enumerate(self.fields)}

    def exists_in(self, release: Release) -> bool:
        return self.since <= release < self.until

    def format_in(self, release: Release) -> Format:
        """The format that a release prints; the newest for a release that has none."""
        for each in self.formats:
            if each.since <= release < each.until:
                return each
        return self.formats[0]

    def fields_in(self, release: Release) -> tuple[Field, ...]:
        return tuple(each for each in self.fields if each.since <= release < each.until)


class Event:
    """What happened: a tracepoint and the values of its fields, in their order.

    Equal events have the same tracepoint and values; the index plays no part.
    """

    __slots__ = ("index", "tracepoint", "values")

    def __init__(self, tracepoint: Tracepoint, values: tuple[Value, ...], index: int = -1) -> None:
        self.tracepoint = tracepoint
        self.values = values
        self.index = index
        """-1, or a small number that no other event of the same table has."""

    def __getitem__(self, name: str) -> Value:
        return self.values[self.tracepoint.index_of[name]]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Event)
            and self.tracepoint is other.tracepoint
            and self.values == other.values
        )

    def __repr__(self) -> str:
        pairs = zip(self.tracepoint.fields, self.values, strict=True)
        inner = " ".join(f"{field.name}={value!r}" for field, value in pairs)
        return f"<{self.tracepoint.name} {inner}>"


class Context:
    """Who ran when it happened: task, CPU, and what the flag columns show.

    Equal contexts have the same contents; the index plays no part.
    """

    __slots__ = ("comm", "cpu", "flags", "index", "pid", "preempt_count", "tgid")

    def __init__(
        self,
        comm: str,
        pid: int,
        tgid: int,
        cpu: int,
        flags: int,
        preempt_count: int,
        index: int = -1,
    ) -> None:
        self.comm = comm
        """As the task column shows it: ``<idle>`` for pid 0."""
        self.pid = pid
        self.tgid = tgid
        """UNKNOWN_TGID where it was not recorded."""
        self.cpu = cpu
        self.flags = flags
        self.preempt_count = preempt_count
        self.index = index
        """-1, or a small number that no other context of the same machine has."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Context) and self.contents() == other.contents()

    def __repr__(self) -> str:
        return (
            f"<{self.comm}-{self.pid} ({self.tgid}) [{self.cpu:03d}]"
            f" flags={self.flags:#x} preempt_count={self.preempt_count:#x}>"
        )

    def contents(self) -> tuple[str, int, int, int, int, int]:
        return (self.comm, self.pid, self.tgid, self.cpu, self.flags, self.preempt_count)


Record: TypeAlias = tuple[int, Context, Event]


class EventTable:
    """Interns events and contexts, so that the text of what comes again is made only once.

    Volatile tracepoints are not interned, and nothing is when the table is full: such an
    event or context has the index -1.
    """

    __slots__ = ("_by_tracepoint", "_contexts", "limit", "nr_contexts", "nr_events")

    def __init__(self, limit: int = 1 << 17) -> None:
        self.limit = limit
        """The most events, and the most contexts, that are kept."""
        self.nr_events = 0
        self.nr_contexts = 0
        self._by_tracepoint: list[dict[tuple[Value, ...], Event]] = [{} for _ in TRACEPOINTS]
        self._contexts: dict[tuple[str, int, int, int, int, int], Context] = {}

    def intern(self, tracepoint: Tracepoint, *values: Value) -> Event:
        """The event with these values: the same object for the same values."""
        known = self._by_tracepoint[tracepoint.id]
        event = known.get(values)
        if event is None:
            event = Event(tracepoint, values)
            if not tracepoint.is_volatile and self.nr_events < self.limit:
                event.index = self.nr_events
                self.nr_events += 1
                known[values] = event
        return event

    def context(
        self, comm: str, pid: int, tgid: int, cpu: int, flags: int, preempt_count: int
    ) -> Context:
        """The context with these contents: the same object for the same contents."""
        contents = (comm, pid, tgid, cpu, flags, preempt_count)
        context = self._contexts.get(contents)
        if context is None:
            context = Context(comm, pid, tgid, cpu, flags, preempt_count)
            if self.nr_contexts < self.limit:
                context.index = self.nr_contexts
                self.nr_contexts += 1
                self._contexts[contents] = context
        return context


def release_number(release: str) -> Release:
    """``"6.1-rt"`` -> ``(6, 1)``."""
    major, minor = release.split("-")[0].split(".")[:2]
    return int(major), int(minor)


def tracepoints_in(release: str) -> tuple[Tracepoint, ...]:
    """The tracepoints of events/ in a release, without those that ftrace keeps to itself."""
    number = release_number(release)
    return tuple(each for each in TRACEPOINTS if each.exists_in(number) and each.system != "ftrace")


# -- declarations ------------------------------------------------------------------------

_declared: list[Tracepoint] = []


def _declare(
    system: str,
    name: str,
    fields: Sequence[Field],
    *formats: str | Format,
    since: Release = FIRST,
    until: Release = NEVER,
    is_volatile: bool = False,
) -> Tracepoint:
    tracepoint = Tracepoint(
        id=len(_declared),
        system=system,
        name=name,
        fields=tuple(fields),
        formats=tuple(Format(each) if isinstance(each, str) else each for each in formats),
        since=since,
        until=until,
        is_volatile=is_volatile,
    )
    _declared.append(tracepoint)
    return tracepoint


_STRING: Final = "__data_loc char[]"
_COMM: Final = "char[16]"
_POINTER: Final = "void *"
_V5_2: Final = (5, 2)
_V5_6: Final = (5, 6)
_V5_13: Final = (5, 13)
_V6_1: Final = (6, 1)
_V6_4: Final = (6, 4)
_V6_8: Final = (6, 8)
_V6_9: Final = (6, 9)

# ftrace: entries that have no directory in events/ to enable.

PRINT: Final = _declare(
    "ftrace",
    "print",
    [Field("unsigned long", "ip"), Field("char[]", "buf")],
    "{ip:sym}: {buf}",
    is_volatile=True,
)
"""trace_printk() and trace_marker; ip of the latter is the symbol tracing_mark_write."""

FUNCTION: Final = _declare(
    "ftrace",
    "function",
    [Field("unsigned long", "ip"), Field("unsigned long", "parent_ip")],
    "{ip:sym} <-{parent_ip:sym}",
)

KERNEL_STACK: Final = _declare(
    "ftrace",
    "kernel_stack",
    [Field("unsigned long[]", "caller")],
    "<stack trace>{caller:stack}",
)
"""caller: the symbols, innermost first, one per line of a string."""

UNKNOWN: Final = _declare(
    "ftrace",
    "unknown",
    [Field("char[]", "name"), Field("char[]", "text")],
    "{name}: {text}",
    is_volatile=True,
)
"""Something read from a log that is not declared here: its name (or none) and its text."""

# irq

_IRQ: Final = Field("int", "irq")
_VEC: Final = [Field("unsigned int", "vec")]
_TASKLET: Final = [Field(_POINTER, "tasklet"), Field(_POINTER, "func")]
_VEC_FORMAT: Final = "vec={vec} [action={vec:softirq}]"
_TASKLET_FORMAT: Final = "tasklet={tasklet:sym} function={func:sym}"

IRQ_HANDLER_ENTRY: Final = _declare(
    "irq", "irq_handler_entry", [_IRQ, Field(_STRING, "name")], "irq={irq} name={name}"
)
IRQ_HANDLER_EXIT: Final = _declare(
    "irq", "irq_handler_exit", [_IRQ, Field("int", "ret")], "irq={irq} ret={ret:handled}"
)
SOFTIRQ_ENTRY: Final = _declare("irq", "softirq_entry", _VEC, _VEC_FORMAT)
SOFTIRQ_EXIT: Final = _declare("irq", "softirq_exit", _VEC, _VEC_FORMAT)
SOFTIRQ_RAISE: Final = _declare("irq", "softirq_raise", _VEC, _VEC_FORMAT)
TASKLET_ENTRY: Final = _declare("irq", "tasklet_entry", _TASKLET, _TASKLET_FORMAT, since=_V6_1)
TASKLET_EXIT: Final = _declare("irq", "tasklet_exit", _TASKLET, _TASKLET_FORMAT, since=_V6_1)

# ipi

_REASON: Final = Field("const char *", "reason")
_CALL: Final = [Field(_POINTER, "callsite"), Field(_POINTER, "callback")]
_CALL_FORMAT: Final = "callsite={callsite:symoff} callback={callback:symoff}"

IPI_RAISE: Final = _declare(
    "ipi",
    "ipi_raise",
    [Field("__data_loc unsigned long[]", "target_cpus"), _REASON],
    "target_mask={target_cpus:mask} ({reason})",
)
IPI_ENTRY: Final = _declare("ipi", "ipi_entry", [_REASON], "({reason})")
IPI_EXIT: Final = _declare("ipi", "ipi_exit", [_REASON], "({reason})")
IPI_SEND_CPU: Final = _declare(
    "ipi",
    "ipi_send_cpu",
    [Field("unsigned int", "cpu"), *_CALL],
    "cpu={cpu} " + _CALL_FORMAT,
    since=_V6_4,
)
IPI_SEND_CPUMASK: Final = _declare(
    "ipi",
    "ipi_send_cpumask",
    [Field("__data_loc cpumask_t", "cpumask"), *_CALL],
    "cpumask={cpumask:mask} " + _CALL_FORMAT,
    since=_V6_4,
)

# sched

_WHO: Final = [Field(_COMM, "comm"), Field("pid_t", "pid")]
_TASK: Final = [*_WHO, Field("int", "prio")]
_TASK_FORMAT: Final = "comm={comm} pid={pid} prio={prio}"
_WAKEUP: Final = [*_TASK, Field("int", "target_cpu")]
_WAKEUP_FORMAT: Final = _TASK_FORMAT + " target_cpu={target_cpu:03d}"
_DELAY: Final = [*_WHO, Field("u64", "delay")]
_DELAY_FORMAT: Final = "comm={comm} pid={pid} delay={delay} [ns]"

SCHED_SWITCH: Final = _declare(
    "sched",
    "sched_switch",
    [
        Field(_COMM, "prev_comm"),
        Field("pid_t", "prev_pid"),
        Field("int", "prev_prio"),
        Field("long", "prev_state"),
        Field(_COMM, "next_comm"),
        Field("pid_t", "next_pid"),
        Field("int", "next_prio"),
    ],
    "prev_comm={prev_comm} prev_pid={prev_pid} prev_prio={prev_prio}"
    " prev_state={prev_state:state}"
    " ==> next_comm={next_comm} next_pid={next_pid} next_prio={next_prio}",
)
SCHED_WAKING: Final = _declare("sched", "sched_waking", _WAKEUP, _WAKEUP_FORMAT)
SCHED_WAKEUP: Final = _declare("sched", "sched_wakeup", _WAKEUP, _WAKEUP_FORMAT)
SCHED_WAKEUP_NEW: Final = _declare("sched", "sched_wakeup_new", _WAKEUP, _WAKEUP_FORMAT)
SCHED_MIGRATE_TASK: Final = _declare(
    "sched",
    "sched_migrate_task",
    [*_TASK, Field("int", "orig_cpu"), Field("int", "dest_cpu")],
    _TASK_FORMAT + " orig_cpu={orig_cpu} dest_cpu={dest_cpu}",
)
SCHED_PROCESS_FORK: Final = _declare(
    "sched",
    "sched_process_fork",
    [
        Field(_COMM, "parent_comm"),
        Field("pid_t", "parent_pid"),
        Field(_COMM, "child_comm"),
        Field("pid_t", "child_pid"),
    ],
    "comm={parent_comm} pid={parent_pid} child_comm={child_comm} child_pid={child_pid}",
)
SCHED_PROCESS_EXEC: Final = _declare(
    "sched",
    "sched_process_exec",
    [Field(_STRING, "filename"), Field("pid_t", "pid"), Field("pid_t", "old_pid")],
    "filename={filename} pid={pid} old_pid={old_pid}",
)
SCHED_PROCESS_EXIT: Final = _declare("sched", "sched_process_exit", _TASK, _TASK_FORMAT)
SCHED_PROCESS_FREE: Final = _declare("sched", "sched_process_free", _TASK, _TASK_FORMAT)
SCHED_PROCESS_WAIT: Final = _declare("sched", "sched_process_wait", _TASK, _TASK_FORMAT)
SCHED_STAT_RUNTIME: Final = _declare(
    "sched",
    "sched_stat_runtime",
    [*_WHO, Field("u64", "runtime"), Field("u64", "vruntime", until=_V6_8)],
    Format("comm={comm} pid={pid} runtime={runtime} [ns]", since=_V6_8),
    Format("comm={comm} pid={pid} runtime={runtime} [ns] vruntime={vruntime} [ns]", until=_V6_8),
    is_volatile=True,
)
SCHED_STAT_WAIT: Final = _declare(
    "sched", "sched_stat_wait", _DELAY, _DELAY_FORMAT, is_volatile=True
)
SCHED_STAT_SLEEP: Final = _declare(
    "sched", "sched_stat_sleep", _DELAY, _DELAY_FORMAT, is_volatile=True
)
SCHED_STAT_IOWAIT: Final = _declare(
    "sched", "sched_stat_iowait", _DELAY, _DELAY_FORMAT, is_volatile=True
)
SCHED_STAT_BLOCKED: Final = _declare(
    "sched", "sched_stat_blocked", _DELAY, _DELAY_FORMAT, is_volatile=True
)
SCHED_PI_SETPRIO: Final = _declare(
    "sched",
    "sched_pi_setprio",
    [*_WHO, Field("int", "oldprio"), Field("int", "newprio")],
    "comm={comm} pid={pid} oldprio={oldprio} newprio={newprio}",
)
SCHED_WAKE_IDLE_WITHOUT_IPI: Final = _declare(
    "sched", "sched_wake_idle_without_ipi", [Field("int", "cpu")], "cpu={cpu}"
)

# timer

_TIMER: Final = Field(_POINTER, "timer")
_HRTIMER: Final = Field(_POINTER, "hrtimer")
_FUNCTION: Final = Field(_POINTER, "function")
_TIMER_START: Final = (
    "timer={timer} function={function:sym} expires={expires} [timeout={now:timeout}]"
)
_TIMER_FLAGS: Final = " cpu={flags:timer_cpu} idx={flags:timer_idx} flags={flags:timer_flags}"
_TIMER_EXPIRE: Final = "timer={timer} function={function:sym} now={now}"
_HRTIMER_START: Final = (
    "hrtimer={hrtimer} function={function:sym}"
    " expires={expires} softexpires={softexpires} mode={mode:hrtimer_mode}"
)

TIMER_INIT: Final = _declare("timer", "timer_init", [_TIMER], "timer={timer}")
TIMER_START: Final = _declare(
    "timer",
    "timer_start",
    [
        _TIMER,
        _FUNCTION,
        Field("unsigned long", "expires"),
        Field("unsigned long", "bucket_expiry", since=_V6_9),
        Field("unsigned long", "now"),
        Field("unsigned int", "flags"),
    ],
    Format(_TIMER_START + " bucket_expiry={bucket_expiry}" + _TIMER_FLAGS, since=_V6_9),
    Format(_TIMER_START + _TIMER_FLAGS, until=_V6_9),
    is_volatile=True,
)
TIMER_EXPIRE_ENTRY: Final = _declare(
    "timer",
    "timer_expire_entry",
    [
        _TIMER,
        Field("unsigned long", "now"),
        _FUNCTION,
        Field("unsigned long", "baseclk", since=_V5_2),
    ],
    Format(_TIMER_EXPIRE + " baseclk={baseclk}", since=_V5_2),
    Format(_TIMER_EXPIRE, until=_V5_2),
    is_volatile=True,
)
TIMER_EXPIRE_EXIT: Final = _declare("timer", "timer_expire_exit", [_TIMER], "timer={timer}")
TIMER_CANCEL: Final = _declare("timer", "timer_cancel", [_TIMER], "timer={timer}")
TIMER_BASE_IDLE: Final = _declare(
    "timer",
    "timer_base_idle",
    [Field("bool", "is_idle"), Field("unsigned int", "cpu")],
    "is_idle={is_idle} cpu={cpu}",
    since=_V6_9,
)
HRTIMER_INIT: Final = _declare(
    "timer",
    "hrtimer_init",
    [_HRTIMER, Field("clockid_t", "clockid"), Field("enum hrtimer_mode", "mode")],
    "hrtimer={hrtimer} clockid={clockid:clockid} mode={mode:hrtimer_mode}",
)
HRTIMER_START: Final = _declare(
    "timer",
    "hrtimer_start",
    [
        _HRTIMER,
        _FUNCTION,
        Field("s64", "expires"),
        Field("s64", "softexpires"),
        Field("enum hrtimer_mode", "mode"),
        Field("bool", "was_armed", since=_V6_1),
    ],
    Format(_HRTIMER_START + " was_armed={was_armed}", since=_V6_1),
    Format(_HRTIMER_START, until=_V6_1),
    is_volatile=True,
)
HRTIMER_EXPIRE_ENTRY: Final = _declare(
    "timer",
    "hrtimer_expire_entry",
    [_HRTIMER, Field("s64", "now"), _FUNCTION],
    "hrtimer={hrtimer} function={function:sym} now={now}",
    is_volatile=True,
)
HRTIMER_EXPIRE_EXIT: Final = _declare(
    "timer", "hrtimer_expire_exit", [_HRTIMER], "hrtimer={hrtimer}"
)
HRTIMER_CANCEL: Final = _declare("timer", "hrtimer_cancel", [_HRTIMER], "hrtimer={hrtimer}")
TICK_STOP: Final = _declare(
    "timer",
    "tick_stop",
    [Field("int", "success"), Field("int", "dependency")],
    "success={success} dependency={dependency:tick_dep}",
)

# workqueue, napi, net

_WORK: Final = Field(_POINTER, "work")
_WORK_FUNCTION: Final = "work struct {work}: function {function:sym}"
_QUEUE_WORK: Final = "work struct={work} function={function:sym} workqueue="
_SKB: Final = [Field(_POINTER, "skbaddr"), Field("unsigned int", "len"), Field(_STRING, "name")]
_SKB_FORMAT: Final = "dev={name} skbaddr={skbaddr} len={len}"

WORKQUEUE_QUEUE_WORK: Final = _declare(
    "workqueue",
    "workqueue_queue_work",
    [
        _WORK,
        _FUNCTION,
        Field(_STRING, "workqueue"),
        Field("int", "req_cpu"),
        Field("int", "cpu"),
    ],
    Format(_QUEUE_WORK + "{workqueue} req_cpu={req_cpu} cpu={cpu}", since=_V5_13),
    Format(_QUEUE_WORK + "{workqueue:p} req_cpu={req_cpu:u} cpu={cpu:u}", until=_V5_13),
)
WORKQUEUE_ACTIVATE_WORK: Final = _declare(
    "workqueue",
    "workqueue_activate_work",
    [_WORK, Field(_POINTER, "function", since=_V6_9)],
    Format("work struct {work} function={function:sym} ", since=_V6_9),
    Format("work struct {work}", until=_V6_9),
)
WORKQUEUE_EXECUTE_START: Final = _declare(
    "workqueue", "workqueue_execute_start", [_WORK, _FUNCTION], _WORK_FUNCTION
)
WORKQUEUE_EXECUTE_END: Final = _declare(
    "workqueue",
    "workqueue_execute_end",
    [_WORK, Field(_POINTER, "function", since=_V5_6)],
    Format(_WORK_FUNCTION, since=_V5_6),
    Format("work struct {work}", until=_V5_6),
)
NAPI_POLL: Final = _declare(
    "napi",
    "napi_poll",
    [
        Field("struct napi_struct *", "napi"),
        Field(_STRING, "dev_name"),
        Field("int", "work"),
        Field("int", "budget"),
    ],
    "napi poll on napi struct {napi} for device {dev_name} work {work} budget {budget}",
)
NETIF_RECEIVE_SKB: Final = _declare("net", "netif_receive_skb", _SKB, _SKB_FORMAT)
NETIF_RX: Final = _declare("net", "netif_rx", _SKB, _SKB_FORMAT)
NET_DEV_QUEUE: Final = _declare("net", "net_dev_queue", _SKB, _SKB_FORMAT)

# power, cpuhp

CPU_IDLE: Final = _declare(
    "power",
    "cpu_idle",
    [Field("u32", "state"), Field("u32", "cpu_id")],
    "state={state} cpu_id={cpu_id}",
)
CPUHP_ENTER: Final = _declare(
    "cpuhp",
    "cpuhp_enter",
    [
        Field("unsigned int", "cpu"),
        Field("int", "target"),
        Field("int", "idx"),
        Field(_POINTER, "fun"),
    ],
    "cpu: {cpu:04u} target: {target:3d} step: {idx:3d} ({fun:sym})",
)
CPUHP_MULTI_ENTER: Final = _declare(
    "cpuhp", "cpuhp_multi_enter", CPUHP_ENTER.fields, CPUHP_ENTER.formats[0]
)
CPUHP_EXIT: Final = _declare(
    "cpuhp",
    "cpuhp_exit",
    [
        Field("unsigned int", "cpu"),
        Field("int", "state"),
        Field("int", "idx"),
        Field("int", "ret"),
    ],
    " cpu: {cpu:04u}  state: {state:3d} step: {idx:3d} ret: {ret}",
)

TRACEPOINTS: Final[tuple[Tracepoint, ...]] = tuple(_declared)
TRACEPOINT_BY_NAME: Final[dict[str, Tracepoint]] = {each.name: each for each in TRACEPOINTS}
