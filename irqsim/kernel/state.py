"""All mutable state of the simulated kernel.

Linux's globals are fields of one `Kernel`, its per-CPU variables fields of `Cpu`.  The fields
of each class stand in groups under a comment that says who may touch them.

A `Path` is kernel code as a generator.  It yields what its next stretch costs, in ns (0: a
point at which a pending interrupt is taken, if they are enabled), or one of the constants
below.  Nothing is sent or thrown in; between two yields all happens at one instant.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final

from irqsim.kernel.cputime import CpuTime
from irqsim.kernel.frame import Frame
from irqsim.kernel.task import (
    DEFAULT_PRIO,
    MAX_RT_PRIO,
    SCHED_FIFO,
    SCHED_IDLE,
    SCHED_NORMAL,
    SCHED_RR,
    TASK_NEW,
    TASK_RTLOCK_WAIT,
    Path,
    Task,
)

if TYPE_CHECKING:
    from irqsim.clock import EventQueue
    from irqsim.events import Event, EventTable, Record
    from irqsim.kernel.call_stack import CallStack
    from irqsim.kernel.costs import CostTable
    from irqsim.kernel.cpu import Hotplug
    from irqsim.kernel.dev import SoftnetData
    from irqsim.kernel.exceptions import TakeIrq
    from irqsim.kernel.hrtimer import HrTimerBase
    from irqsim.kernel.irq.ipi import IpiTable
    from irqsim.kernel.irq.irqdesc import IrqDesc
    from irqsim.kernel.irq.irqdomain import IrqDomain
    from irqsim.kernel.irq.resend import Resend
    from irqsim.kernel.irq.root import NmiChip, RootChip
    from irqsim.kernel.irq.spurious import Spurious
    from irqsim.kernel.irq.storm import StormDetector
    from irqsim.kernel.recorded import Recorded
    from irqsim.kernel.release import Release
    from irqsim.kernel.rtmutex import RtMutex
    from irqsim.kernel.sched import RunQueue
    from irqsim.kernel.softirq import Tasklet
    from irqsim.kernel.tick import TickSched
    from irqsim.kernel.timer import TimerBase
    from irqsim.kernel.workqueue import WorkerPools

# Tasks are found here too.
__all__ = [
    "DEFAULT_PRIO", "IDLE", "MAX_RT_PRIO", "PANIC", "SCHED_FIFO", "SCHED_IDLE", "SCHED_NORMAL",
    "SCHED_RR", "SWITCH", "TASK_NEW", "TASK_RTLOCK_WAIT", "Cpu", "Frame", "HandlerPath", "Kernel",
    "Path", "Task",
]  # fmt: skip

HandlerPath = Generator[int, None, int]
"""A handler: takes time and returns an irqreturn_t."""

IDLE: Final = -1
"""Yielded: wait for an interrupt."""
SWITCH: Final = -2
"""Yielded: the CPU's `current` has changed; go on with that task's frames."""
PANIC: Final = -3
"""Yielded: the machine stops here."""


class Cpu:
    """One CPU: what Linux keeps per CPU, and the engine's place in its code."""

    __slots__ = (
        "call_queue",
        "cpuhp",
        "current",
        "due_ns",
        "fpsimd_last",
        "frame",
        "frames",
        "hrtimers",
        "idle",
        "irq_work_list",
        "irq_workd",
        "irqs_disabled",
        "is_active",
        "is_idling",
        "is_online",
        "ksoftirqd",
        "kstat_softirqs",
        "ktimersd",
        "nr_switches",
        "number",
        "pending_timer_softirq",
        "preempt_count",
        "preempt_need_resched",
        "psr_i",
        "rcuc",
        "rq",
        "since_ns",
        "softirq_ctrl_cnt",
        "softirq_ctrl_lock",
        "softirq_pending",
        "softnet",
        "stop_fn",
        "stop_work",
        "stopper",
        "tasklet_hi_vec",
        "tasklet_vec",
        "tick",
        "tif_need_resched",
        "tif_need_resched_lazy",
        "time",
        "timers",
        "wake_list",
    )

    number: int

    # The engine's.
    due_ns: int
    """When its present stretch ends; NEVER while it waits for an interrupt."""
    since_ns: int
    """Up to when its time is accounted for."""
    frame: Frame
    """The top of `frames`."""
    frames: list[Frame]

    # The processor's state, changed by the code that runs on this CPU.
    irqs_disabled: bool
    """local_irq_disable(): PSTATE.I, or with pseudo_nmi a priority mask."""
    psr_i: bool
    """With pseudo_nmi: PSTATE.I, since an exception was taken; not even NMIs come through."""
    preempt_count: int

    # The scheduler's (kernel/sched.py); the flags may be set from other CPUs.
    current: Task
    idle: Task
    rq: RunQueue
    tif_need_resched: bool
    tif_need_resched_lazy: bool
    """A fair task is to give way to another, but not before it lets go of its locks
    (PREEMPT_LAZY)."""
    preempt_need_resched: bool
    nr_switches: int
    wake_list: list[Task]
    """Woken by other CPUs, to be put on the run queue here."""

    # kernel/softirq.py's.
    softirq_pending: int
    ksoftirqd: Task
    kstat_softirqs: list[int]
    tasklet_vec: list[Tasklet]
    tasklet_hi_vec: list[Tasklet]
    pending_timer_softirq: int
    """TIMER and HRTIMER of hard interrupts, for ktimers/N (PREEMPT_RT)."""
    ktimersd: Task | None
    softirq_ctrl_cnt: int
    """What the task that keeps bottom halves off has of the softirq bits, 0 if none does
    (PREEMPT_RT)."""
    softirq_ctrl_lock: RtMutex
    """Held by that task (PREEMPT_RT)."""
    rcuc: Task | None
    """The thread that does what RCU is for elsewhere (PREEMPT_RT)."""

    # kernel/smp.py's.
    call_queue: list[Callable[[Cpu], Path | None]]

    # kernel/irq_work.py's.
    irq_work_list: list[Callable[[Cpu], Path]]

    # kernel/cpuidle.py's.
    is_idling: bool
    """Between the two events cpu_idle."""
    irq_workd: Task | None
    """Runs them where the interrupt does not (PREEMPT_RT)."""

    # kernel/tick.py's, kernel/timer.py's, kernel/hrtimer.py's.
    tick: TickSched
    timers: TimerBase
    hrtimers: HrTimerBase

    # kernel/entry.py's.
    fpsimd_last: Task | None
    """Whose floating-point registers are loaded here."""

    # kernel/dev.py's.
    softnet: SoftnetData

    # kernel/stop_machine.py's.
    stopper: Task
    stop_work: list[Task]
    """Tasks that have to leave this CPU."""
    stop_fn: Callable[[Kernel, Cpu], Path] | None
    """What else the stopper is to do, once."""

    # kernel/cpu.py's.
    is_online: bool
    is_active: bool
    """Tasks may be put here: not any more when it is about to go, not yet when it has come."""
    cpuhp: Task
    """The thread that brings this CPU up."""

    # The account of its time: the engine's.
    time: CpuTime

    def __init__(self, number: int) -> None:
        self.number = number
        self.due_ns = 0
        self.since_ns = 0
        self.frames = []
        self.irqs_disabled = self.psr_i = False
        self.preempt_count = 0
        self.tif_need_resched = False
        self.tif_need_resched_lazy = False
        self.preempt_need_resched = False
        self.nr_switches = 0
        self.wake_list = []
        self.softirq_pending = 0
        self.kstat_softirqs = [0] * 10
        self.tasklet_vec = []
        self.tasklet_hi_vec = []
        self.pending_timer_softirq = 0
        self.ktimersd = None
        self.softirq_ctrl_cnt = 0
        self.rcuc = None
        self.call_queue = []
        self.fpsimd_last = None
        self.stop_work = []
        self.stop_fn = None
        self.is_online = True
        self.is_active = True
        self.irq_work_list = []
        self.is_idling = False
        self.irq_workd = None
        self.time = CpuTime()


class Kernel:
    """The whole of Linux: its globals."""

    __slots__ = (
        "arch",
        "atomic_mask",
        "call_stack",
        "console",
        "cost",
        "cpus",
        "dmesg",
        "domain",
        "events",
        "folds_need_resched",
        "force_irqthreads",
        "gic",
        "hotplug",
        "hz",
        "interrupt",
        "ipi",
        "irq_default_affinity",
        "irq_desc",
        "is_at_rest",
        "is_tainted",
        "jiffies",
        "might_resched",
        "netdev_budget",
        "netdev_budget_usecs",
        "next_pid",
        "next_sleep_report",
        "nmi_chip",
        "nohz",
        "noirqdebug",
        "now_ns",
        "nr_objects",
        "nr_online",
        "panicked",
        "power_on",
        "preempt_count_built",
        "preempt_lazy",
        "preempt_offset",
        "preempt_rt",
        "preemption",
        "queue",
        "rcu",
        "recorded",
        "release",
        "resend",
        "said_once",
        "softirq_events",
        "softirq_restart",
        "softirq_time_ns",
        "softirq_vec",
        "spurious",
        "storm",
        "take_irq",
        "tasks",
        "tick_do_timer_cpu",
        "tick_ns",
        "trace_clock_ns",
        "trace_enabled",
        "trace_events",
        "trace_flush",
        "trace_records",
        "tracing_on",
        "worker_pools",
    )

    # Fixed when the machine is built.
    arch: str
    release: Release
    cost: CostTable
    hz: int
    nohz: bool
    rcu: bool
    preemption: bool
    """CONFIG_PREEMPTION: the kernel may be preempted (full, rt)."""
    next_sleep_report: int | None
    """In jiffies.  None: CONFIG_DEBUG_ATOMIC_SLEEP is off."""
    might_resched: bool
    """CONFIG_PREEMPT_VOLUNTARY: might_sleep() gives way."""
    preempt_count_built: bool
    """CONFIG_PREEMPT_COUNT: preempt_disable() and spin locks count."""
    preempt_offset: int
    """What one preempt_disable() adds to preempt_count: 0 where that is not counted."""
    preempt_rt: bool
    """CONFIG_PREEMPT_RT."""
    preempt_lazy: bool
    """CONFIG_PREEMPT_LAZY of the RT patches: fair tasks preempt each other lazily."""
    atomic_mask: int
    """Which bits of preempt_count forbid to preempt or to sleep: all of them, or on PREEMPT_RT
    all but those of softirqs, which there belong to the task."""
    folds_need_resched: bool
    take_irq: TakeIrq
    """The processor: what an IRQ does by itself."""
    force_irqthreads: bool
    """`threadirqs`: handlers run in threads, softirqs of hard interrupts in ksoftirqd."""
    softirq_restart: int
    softirq_time_ns: int
    netdev_budget: int
    netdev_budget_usecs: int
    noirqdebug: bool
    cpus: list[Cpu]
    gic: RootChip
    nmi_chip: NmiChip | None
    """The same with irqchip.gicv3_pseudo_nmi=1: interrupts are masked by priority."""
    domain: IrqDomain
    ipi: IpiTable
    queue: EventQueue
    tick_ns: int
    """Length of a jiffy."""
    is_at_rest: Callable[[], bool]
    """The machine's: nothing is left to happen, and the run has no set end."""

    # kernel/cpu.py's; power_on is the firmware, which lets the engine start a CPU.
    hotplug: Hotplug
    nr_online: int
    power_on: Callable[[Cpu], None]

    # Time: now_ns is the engine's, the others kernel/tick.py's.
    now_ns: int
    jiffies: int
    """Since the start of the run; what is printed adds the kernel's INITIAL_JIFFIES."""
    tick_do_timer_cpu: int
    """Who advances jiffies; -1 when nobody ticks."""

    # Tables: kernel/irq/irqdesc.py, kernel/softirq.py, kernel/sched.py.
    irq_desc: dict[int, IrqDesc]
    irq_default_affinity: tuple[int, ...]
    """Of lines that nobody gave an affinity; ascending."""
    softirq_vec: list[Callable[[Kernel, Cpu], Path]]
    tasks: list[Task]
    next_pid: int
    worker_pools: WorkerPools
    nr_objects: int
    """How many objects have an address in the trace."""

    # kernel/entry.py's.
    interrupt: Callable[[Kernel, Cpu], Path]
    """The path of an IRQ exception."""

    # kernel/irq/spurious.py's, kernel/irq/storm.py's.
    spurious: Spurious
    storm: StormDetector | None

    # kernel/irq/resend.py's.
    resend: Resend

    # kernel/trace.py's.
    events: EventTable
    softirq_events: tuple[tuple[Event, ...], ...]
    call_stack: CallStack | None
    """Follows what calls what; None where nobody wants a stack trace."""
    trace_enabled: list[bool]
    """By the tracepoint's id: what is recorded now."""
    trace_events: list[bool]
    """By the tracepoint's id: what is recorded while tracing is on."""
    tracing_on: bool
    trace_clock_ns: int
    trace_records: list[Record]
    trace_flush: Callable[[], None]

    # kernel/recorded.py's.
    recorded: Recorded | None
    """What a capture decided; None in a run that replays none."""

    # kernel/printk.py's.
    dmesg: list[tuple[int, int, str]]
    said_once: dict[str, None]
    """What printk_once() has said, and the places at which WARN_ONCE() has."""
    console: Callable[[str], None]
    is_tainted: bool
    panicked: bool
