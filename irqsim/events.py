"""Every tracepoint, declared once.

Printing, parsing, ``irqsim list events`` and the format files of trace.dat all follow from
the declarations below.

A print format is a template: ``{field}`` prints a field in the way of its C type,
``{field:kind}`` in the way of that kind (``irqsim.trace.payload`` holds the table of
kinds).  Formats and fields that came or went with a release carry their range.

Source: the event format files of 6.1 and 6.12; for other releases the history of
include/trace/events/.
Leaves out: fields that no text shows (``success`` of sched_wakeup in 4.19).
"""

from __future__ import annotations

from typing import Final

from irqsim.records import (
    BH_OFF,
    FIRST,
    HARDIRQ,
    IRQS_OFF,
    MIGRATE_SHIFT,
    NEED_RESCHED,
    NEED_RESCHED_LAZY,
    NEVER,
    NMI,
    PREEMPT_LAZY_SHIFT,
    PREEMPT_MASK,
    PREEMPT_RESCHED,
    SOFTIRQ,
    UNKNOWN_TGID,
    Context,
    Event,
    EventTable,
    Field,
    Format,
    Record,
    Release,
    Tracepoint,
    Value,
    release_number,
)

# A record and what it is made of are found here too.
__all__ = [
    "BH_OFF", "FIRST", "HARDIRQ", "IRQS_OFF", "MIGRATE_SHIFT", "NEED_RESCHED",
    "NEED_RESCHED_LAZY", "NEVER", "NMI", "PREEMPT_LAZY_SHIFT", "PREEMPT_MASK",
    "PREEMPT_RESCHED", "SOFTIRQ", "UNKNOWN_TGID", "Context", "Event", "EventTable", "Field",
    "Format", "Record", "Release", "Tracepoint", "Value", "release_number",
]

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

# -- declarations ------------------------------------------------------------------------

_declared: list[Tracepoint] = []


def _declare(
    system: str,
    name: str,
    fields: str,
    *formats: str | Format,
    since: Release = FIRST,
    is_volatile: bool = False,
) -> Tracepoint:
    tracepoint = Tracepoint(
        id=len(_declared),
        system=system,
        name=name,
        fields=tuple(_field(each.strip()) for each in fields.split(";")),
        formats=tuple(Format(each) if isinstance(each, str) else each for each in formats),
        since=since,
        is_volatile=is_volatile,
    )
    _declared.append(tracepoint)
    return tracepoint


def _field(text: str) -> Field:
    """``"void * function @5.6-6.8"``: type, name, the first release and the first without."""
    declaration, _, span = text.partition(" @")
    ctype, _, name = declaration.rpartition(" ")
    first, _, last = span.partition("-")
    return Field(
        ctype,
        name,
        since=release_number(first) if first else FIRST,
        until=release_number(last) if last else NEVER,
    )


_V5_2: Final = (5, 2)
_V5_6: Final = (5, 6)
_V5_13: Final = (5, 13)
_V6_1: Final = (6, 1)
_V6_4: Final = (6, 4)
_V6_8: Final = (6, 8)
_V6_9: Final = (6, 9)

# ftrace: entries that have no directory in events/ to enable.

PRINT: Final = _declare(
    "ftrace", "print", "unsigned long ip; char[] buf", "{ip:sym}: {buf}", is_volatile=True
)
"""trace_printk() and trace_marker; ip of the latter is the symbol tracing_mark_write."""

FUNCTION: Final = _declare(
    "ftrace",
    "function",
    "unsigned long ip; unsigned long parent_ip",
    "{ip:sym} <-{parent_ip:sym}",
)

KERNEL_STACK: Final = _declare(
    "ftrace", "kernel_stack", "unsigned long[] caller", "<stack trace>{caller:stack}"
)
"""caller: the symbols, innermost first, one per line of a string."""

UNKNOWN: Final = _declare(
    "ftrace", "unknown", "char[] name; char[] text", "{name}: {text}", is_volatile=True
)
"""Something read from a log that is not declared here: its name (or none) and its text."""

# irq

_VEC_FORMAT: Final = "vec={vec} [action={vec:softirq}]"
_TASKLET: Final = "void * tasklet; void * func"
_TASKLET_FORMAT: Final = "tasklet={tasklet:sym} function={func:sym}"

IRQ_HANDLER_ENTRY: Final = _declare(
    "irq", "irq_handler_entry", "int irq; __data_loc char[] name", "irq={irq} name={name}"
)
IRQ_HANDLER_EXIT: Final = _declare(
    "irq", "irq_handler_exit", "int irq; int ret", "irq={irq} ret={ret:handled}"
)
SOFTIRQ_ENTRY: Final = _declare("irq", "softirq_entry", "unsigned int vec", _VEC_FORMAT)
SOFTIRQ_EXIT: Final = _declare("irq", "softirq_exit", "unsigned int vec", _VEC_FORMAT)
SOFTIRQ_RAISE: Final = _declare("irq", "softirq_raise", "unsigned int vec", _VEC_FORMAT)
TASKLET_ENTRY: Final = _declare("irq", "tasklet_entry", _TASKLET, _TASKLET_FORMAT, since=_V6_1)
TASKLET_EXIT: Final = _declare("irq", "tasklet_exit", _TASKLET, _TASKLET_FORMAT, since=_V6_1)

# ipi

_REASON: Final = "const char * reason"
_CALL: Final = "; void * callsite; void * callback"
_CALL_FORMAT: Final = " callsite={callsite:symoff} callback={callback:symoff}"

IPI_RAISE: Final = _declare(
    "ipi",
    "ipi_raise",
    "__data_loc unsigned long[] target_cpus; " + _REASON,
    "target_mask={target_cpus:mask} ({reason})",
)
IPI_ENTRY: Final = _declare("ipi", "ipi_entry", _REASON, "({reason})")
IPI_EXIT: Final = _declare("ipi", "ipi_exit", _REASON, "({reason})")
IPI_SEND_CPU: Final = _declare(
    "ipi", "ipi_send_cpu", "unsigned int cpu" + _CALL, "cpu={cpu}" + _CALL_FORMAT, since=_V6_4
)
IPI_SEND_CPUMASK: Final = _declare(
    "ipi",
    "ipi_send_cpumask",
    "__data_loc cpumask_t cpumask" + _CALL,
    "cpumask={cpumask:mask}" + _CALL_FORMAT,
    since=_V6_4,
)

# sched

_WHO: Final = "char[16] comm; pid_t pid"
_TASK: Final = _WHO + "; int prio"
_TASK_FORMAT: Final = "comm={comm} pid={pid} prio={prio}"
_WAKEUP: Final = _TASK + "; int target_cpu"
_WAKEUP_FORMAT: Final = _TASK_FORMAT + " target_cpu={target_cpu:03d}"
_DELAY: Final = _WHO + "; u64 delay"
_DELAY_FORMAT: Final = "comm={comm} pid={pid} delay={delay} [ns]"
_RUNTIME_FORMAT: Final = "comm={comm} pid={pid} runtime={runtime} [ns]"

SCHED_SWITCH: Final = _declare(
    "sched",
    "sched_switch",
    "char[16] prev_comm; pid_t prev_pid; int prev_prio; long prev_state;"
    " char[16] next_comm; pid_t next_pid; int next_prio",
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
    _TASK + "; int orig_cpu; int dest_cpu",
    _TASK_FORMAT + " orig_cpu={orig_cpu} dest_cpu={dest_cpu}",
)
SCHED_PROCESS_FORK: Final = _declare(
    "sched",
    "sched_process_fork",
    "char[16] parent_comm; pid_t parent_pid; char[16] child_comm; pid_t child_pid",
    "comm={parent_comm} pid={parent_pid} child_comm={child_comm} child_pid={child_pid}",
)
SCHED_PROCESS_EXEC: Final = _declare(
    "sched",
    "sched_process_exec",
    "__data_loc char[] filename; pid_t pid; pid_t old_pid",
    "filename={filename} pid={pid} old_pid={old_pid}",
)
SCHED_PROCESS_EXIT: Final = _declare("sched", "sched_process_exit", _TASK, _TASK_FORMAT)
SCHED_PROCESS_FREE: Final = _declare("sched", "sched_process_free", _TASK, _TASK_FORMAT)
SCHED_PROCESS_WAIT: Final = _declare("sched", "sched_process_wait", _TASK, _TASK_FORMAT)
SCHED_STAT_RUNTIME: Final = _declare(
    "sched",
    "sched_stat_runtime",
    _WHO + "; u64 runtime; u64 vruntime @-6.8",
    Format(_RUNTIME_FORMAT, since=_V6_8),
    Format(_RUNTIME_FORMAT + " vruntime={vruntime} [ns]", until=_V6_8),
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
    _WHO + "; int oldprio; int newprio",
    "comm={comm} pid={pid} oldprio={oldprio} newprio={newprio}",
)
SCHED_WAKE_IDLE_WITHOUT_IPI: Final = _declare(
    "sched", "sched_wake_idle_without_ipi", "int cpu", "cpu={cpu}"
)

# timer

_TIMER: Final = "timer={timer}"
_HRTIMER: Final = "hrtimer={hrtimer}"
_TIMER_START: Final = (
    "timer={timer} function={function:sym} expires={expires} [timeout={now:timeout}]"
)
_TIMER_FLAGS: Final = " cpu={flags:timer_cpu} idx={flags:timer_idx} flags={flags:timer_flags}"
_TIMER_EXPIRE: Final = "timer={timer} function={function:sym} now={now}"
_HRTIMER_START: Final = (
    "hrtimer={hrtimer} function={function:sym}"
    " expires={expires} softexpires={softexpires} mode={mode:hrtimer_mode}"
)

TIMER_INIT: Final = _declare("timer", "timer_init", "void * timer", _TIMER)
TIMER_START: Final = _declare(
    "timer",
    "timer_start",
    "void * timer; void * function; unsigned long expires;"
    " unsigned long bucket_expiry @6.9; unsigned long now; unsigned int flags",
    Format(_TIMER_START + " bucket_expiry={bucket_expiry}" + _TIMER_FLAGS, since=_V6_9),
    Format(_TIMER_START + _TIMER_FLAGS, until=_V6_9),
    is_volatile=True,
)
TIMER_EXPIRE_ENTRY: Final = _declare(
    "timer",
    "timer_expire_entry",
    "void * timer; unsigned long now; void * function; unsigned long baseclk @5.2",
    Format(_TIMER_EXPIRE + " baseclk={baseclk}", since=_V5_2),
    Format(_TIMER_EXPIRE, until=_V5_2),
    is_volatile=True,
)
TIMER_EXPIRE_EXIT: Final = _declare("timer", "timer_expire_exit", "void * timer", _TIMER)
TIMER_CANCEL: Final = _declare("timer", "timer_cancel", "void * timer", _TIMER)
TIMER_BASE_IDLE: Final = _declare(
    "timer",
    "timer_base_idle",
    "bool is_idle; unsigned int cpu",
    "is_idle={is_idle} cpu={cpu:d}",
    since=_V6_9,
)
HRTIMER_INIT: Final = _declare(
    "timer",
    "hrtimer_init",
    "void * hrtimer; clockid_t clockid; enum hrtimer_mode mode",
    "hrtimer={hrtimer} clockid={clockid:clockid} mode={mode:hrtimer_mode}",
)
HRTIMER_START: Final = _declare(
    "timer",
    "hrtimer_start",
    "void * hrtimer; void * function; s64 expires; s64 softexpires;"
    " enum hrtimer_mode mode; bool was_armed @6.1",
    Format(_HRTIMER_START + " was_armed={was_armed}", since=_V6_1),
    Format(_HRTIMER_START, until=_V6_1),
    is_volatile=True,
)
HRTIMER_EXPIRE_ENTRY: Final = _declare(
    "timer",
    "hrtimer_expire_entry",
    "void * hrtimer; s64 now; void * function",
    "hrtimer={hrtimer} function={function:sym} now={now}",
    is_volatile=True,
)
HRTIMER_EXPIRE_EXIT: Final = _declare("timer", "hrtimer_expire_exit", "void * hrtimer", _HRTIMER)
HRTIMER_CANCEL: Final = _declare("timer", "hrtimer_cancel", "void * hrtimer", _HRTIMER)
TICK_STOP: Final = _declare(
    "timer",
    "tick_stop",
    "int success; int dependency",
    "success={success} dependency={dependency:tick_dep}",
)

# workqueue, napi, net

_WORK: Final = "work struct {work}"
_WORK_FUNCTION: Final = _WORK + ": function {function:sym}"
_QUEUE_WORK: Final = "work struct={work} function={function:sym} workqueue="
_SKB: Final = "void * skbaddr; unsigned int len; __data_loc char[] name"
_SKB_FORMAT: Final = "dev={name} skbaddr={skbaddr} len={len}"

WORKQUEUE_QUEUE_WORK: Final = _declare(
    "workqueue",
    "workqueue_queue_work",
    "void * work; void * function; __data_loc char[] workqueue; int req_cpu; int cpu",
    Format(_QUEUE_WORK + "{workqueue} req_cpu={req_cpu} cpu={cpu}", since=_V5_13),
    Format(_QUEUE_WORK + "{workqueue:p} req_cpu={req_cpu:u} cpu={cpu:u}", until=_V5_13),
)
WORKQUEUE_ACTIVATE_WORK: Final = _declare(
    "workqueue",
    "workqueue_activate_work",
    "void * work; void * function @6.9",
    Format(_WORK + " function={function:sym} ", since=_V6_9),
    Format(_WORK, until=_V6_9),
)
WORKQUEUE_EXECUTE_START: Final = _declare(
    "workqueue", "workqueue_execute_start", "void * work; void * function", _WORK_FUNCTION
)
WORKQUEUE_EXECUTE_END: Final = _declare(
    "workqueue",
    "workqueue_execute_end",
    "void * work; void * function @5.6",
    Format(_WORK_FUNCTION, since=_V5_6),
    Format(_WORK, until=_V5_6),
)
NAPI_POLL: Final = _declare(
    "napi",
    "napi_poll",
    "struct napi_struct * napi; __data_loc char[] dev_name; int work; int budget",
    "napi poll on napi struct {napi} for device {dev_name} work {work} budget {budget}",
)
NETIF_RECEIVE_SKB: Final = _declare("net", "netif_receive_skb", _SKB, _SKB_FORMAT)
NETIF_RX: Final = _declare("net", "netif_rx", _SKB, _SKB_FORMAT)
NET_DEV_QUEUE: Final = _declare("net", "net_dev_queue", _SKB, _SKB_FORMAT)

# power, cpuhp

_CPUHP: Final = "unsigned int cpu; int target; int idx; void * fun"
_CPUHP_FORMAT: Final = "cpu: {cpu:04u} target: {target:3d} step: {idx:3d} ({fun:sym})"

CPU_IDLE: Final = _declare(
    "power", "cpu_idle", "u32 state; u32 cpu_id", "state={state} cpu_id={cpu_id}"
)
CPUHP_ENTER: Final = _declare("cpuhp", "cpuhp_enter", _CPUHP, _CPUHP_FORMAT)
CPUHP_MULTI_ENTER: Final = _declare("cpuhp", "cpuhp_multi_enter", _CPUHP, _CPUHP_FORMAT)
CPUHP_EXIT: Final = _declare(
    "cpuhp",
    "cpuhp_exit",
    "unsigned int cpu; int state; int idx; int ret",
    " cpu: {cpu:04u}  state: {state:3d} step: {idx:3d} ret: {ret}",
)

TRACEPOINTS: Final[tuple[Tracepoint, ...]] = tuple(_declared)
TRACEPOINT_BY_NAME: Final[dict[str, Tracepoint]] = {each.name: each for each in TRACEPOINTS}


def tracepoints_in(release: str) -> tuple[Tracepoint, ...]:
    """The tracepoints of events/ in a release, without those that ftrace keeps to itself."""
    number = release_number(release)
    return tuple(each for each in TRACEPOINTS if each.exists_in(number) and each.system != "ftrace")
