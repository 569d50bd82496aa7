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

from irqsim.events import TASK_RUNNING
from irqsim.kernel.cputime import CpuTime
from irqsim.kernel.frame import Frame

if TYPE_CHECKING:
    from irqsim.clock import EventQueue
    from irqsim.events import Context, Event, EventTable, Record
    from irqsim.kernel.costs import CostTable
    from irqsim.kernel.cpu import Hotplug
    from irqsim.kernel.dev import SoftnetData
    from irqsim.kernel.hrtimer import HrTimerBase
    from irqsim.kernel.irq.chip import GicChip
    from irqsim.kernel.irq.ipi import IpiTable
    from irqsim.kernel.irq.irqdesc import IrqDesc
    from irqsim.kernel.irq.irqdomain import IrqDomain
    from irqsim.kernel.irq.spurious import Spurious
    from irqsim.kernel.irq.storm import StormDetector
    from irqsim.kernel.recorded import Recorded
    from irqsim.kernel.release import Release
    from irqsim.kernel.sched import RunQueue
    from irqsim.kernel.softirq import Tasklet
    from irqsim.kernel.tick import TickSched
    from irqsim.kernel.timer import TimerBase
    from irqsim.kernel.workqueue import WorkerPools

Path = Generator[int, None, None]
"""Kernel code that takes time."""
HandlerPath = Generator[int, None, int]
"""A handler: takes time and returns an irqreturn_t."""

IDLE: Final = -1
"""Yielded: wait for an interrupt."""
SWITCH: Final = -2
"""Yielded: the CPU's `current` has changed; go on with that task's frames."""
PANIC: Final = -3
"""Yielded: the machine stops here."""

TASK_NEW: Final = 0x800
"""Not started yet: nothing but its start wakes it."""

MAX_RT_PRIO: Final = 100
DEFAULT_PRIO: Final = 120

SCHED_NORMAL: Final = 0
SCHED_FIFO: Final = 1
SCHED_RR: Final = 2
SCHED_IDLE: Final = 5


class Task:
    """A task_struct, as far as interrupts and the scheduler need one."""

    __slots__ = (
        "after_sleep",
        "allowed",
        "before_sleep",
        "comm",
        "contexts",
        "cpu",
        "deadline_ns",
        "exec_start_ns",
        "fpsimd_cpu",
        "frames",
        "has_mm",
        "in_user",
        "is_delayed",
        "is_per_cpu",
        "is_requeued",
        "nice",
        "on_rq",
        "pid",
        "policy",
        "preempt_count",
        "prio",
        "protected_ns",
        "slice_start_ns",
        "state",
        "sum_exec_ns",
        "tgid",
        "time_slice",
        "vlag_ns",
        "vruntime_ns",
        "weight",
    )

    # Fixed when the task is made.
    comm: str
    pid: int
    tgid: int
    allowed: tuple[int, ...]
    """CPUs on which it may run, ascending."""
    has_mm: bool
    """A user's process, not a kernel thread."""
    is_per_cpu: bool
    """A kernel thread that belongs to its CPU and stays there (KTHREAD_IS_PER_CPU)."""
    before_sleep: Callable[[], Path] | None
    """A kworker's, called when it blocks: its pool may want another one."""
    after_sleep: Callable[[], None] | None

    # The scheduler's (kernel/sched.py).
    state: int
    on_rq: bool
    cpu: int
    policy: int
    prio: int
    """As traces print it: 0 to 99 real-time, 120 + nice otherwise."""
    nice: int
    weight: int
    vruntime_ns: int
    deadline_ns: int
    """Virtual time by which its slice is used up (EEVDF)."""
    protected_ns: int
    """deadline_ns when it was last picked: while they are the same, it keeps the CPU unless it is
    ahead of the others (EEVDF)."""
    vlag_ns: int
    """While it sleeps: how far it was behind the others, and will be when it wakes (EEVDF)."""
    is_delayed: bool
    """It sleeps, and stays in the queue until it is no longer ahead of the others (EEVDF)."""
    exec_start_ns: int
    sum_exec_ns: int
    slice_start_ns: int
    """sum_exec_ns when it was last switched to."""
    time_slice: int
    """Ticks left of a SCHED_RR task's slice."""
    is_requeued: bool
    """A real-time task that is to go behind its equals at the next switch."""

    # The engine's, while the task does not run.
    frames: list[Frame]
    preempt_count: int

    # Its own code's.
    in_user: bool

    # kernel/entry.py's.
    fpsimd_cpu: int
    """Where its floating-point registers were loaded last."""

    # kernel/trace.py's cache.
    contexts: dict[int, dict[int, Context]]
    """By CPU, and by what else makes a context."""

    def __init__(self, comm: str, pid: int, allowed: tuple[int, ...]) -> None:
        self.comm = comm
        self.pid = pid
        self.tgid = pid
        self.allowed = allowed
        self.has_mm = False
        self.is_per_cpu = False
        self.before_sleep = None
        self.after_sleep = None
        self.state = TASK_RUNNING
        self.on_rq = False
        self.cpu = allowed[0]
        self.policy = SCHED_NORMAL
        self.prio = DEFAULT_PRIO
        self.nice = 0
        self.weight = 1024
        self.vruntime_ns = 0
        self.deadline_ns = 0
        self.protected_ns = -1
        self.vlag_ns = 0
        self.is_delayed = False
        self.exec_start_ns = 0
        self.sum_exec_ns = 0
        self.slice_start_ns = 0
        self.time_slice = 0
        self.is_requeued = False
        self.frames = []
        self.preempt_count = 0
        self.in_user = False
        self.fpsimd_cpu = -1
        self.contexts = {}


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
        "irqs_disabled",
        "is_active",
        "is_online",
        "ksoftirqd",
        "kstat_softirqs",
        "nr_switches",
        "number",
        "preempt_count",
        "preempt_need_resched",
        "rq",
        "since_ns",
        "softirq_pending",
        "softnet",
        "stop_fn",
        "stop_work",
        "stopper",
        "tasklet_hi_vec",
        "tasklet_vec",
        "tick",
        "tif_need_resched",
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
    preempt_count: int

    # The scheduler's (kernel/sched.py); the flags may be set from other CPUs.
    current: Task
    idle: Task
    rq: RunQueue
    tif_need_resched: bool
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

    # kernel/smp.py's.
    call_queue: list[Callable[[Cpu], Path | None]]

    # kernel/irq_work.py's.
    irq_work_list: list[Callable[[Cpu], Path]]

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
        self.irqs_disabled = False
        self.preempt_count = 0
        self.tif_need_resched = False
        self.preempt_need_resched = False
        self.nr_switches = 0
        self.wake_list = []
        self.softirq_pending = 0
        self.kstat_softirqs = [0] * 10
        self.tasklet_vec = []
        self.tasklet_hi_vec = []
        self.call_queue = []
        self.fpsimd_last = None
        self.stop_work = []
        self.stop_fn = None
        self.is_online = True
        self.is_active = True
        self.irq_work_list = []
        self.time = CpuTime()


class Kernel:
    """The whole of Linux: its globals."""

    __slots__ = (
        "arch",
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
        "ipi",
        "irq_default_affinity",
        "irq_desc",
        "is_at_rest",
        "jiffies",
        "might_resched",
        "netdev_budget",
        "netdev_budget_usecs",
        "next_pid",
        "nohz",
        "noirqdebug",
        "now_ns",
        "nr_objects",
        "nr_online",
        "power_on",
        "preempt_count_built",
        "preemption",
        "queue",
        "rcu",
        "recorded",
        "release",
        "said_once",
        "softirq_events",
        "softirq_restart",
        "softirq_time_ns",
        "softirq_vec",
        "spurious",
        "storm",
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
    might_resched: bool
    """CONFIG_PREEMPT_VOLUNTARY: might_sleep() gives way."""
    preempt_count_built: bool
    """CONFIG_PREEMPT_COUNT: preempt_disable() and spin locks count."""
    folds_need_resched: bool
    force_irqthreads: bool
    """`threadirqs`: handlers run in threads, softirqs of hard interrupts in ksoftirqd."""
    softirq_restart: int
    softirq_time_ns: int
    netdev_budget: int
    netdev_budget_usecs: int
    noirqdebug: bool
    cpus: list[Cpu]
    gic: GicChip
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

    # kernel/irq/spurious.py's, kernel/irq/storm.py's.
    spurious: Spurious
    storm: StormDetector | None

    # kernel/trace.py's.
    events: EventTable
    softirq_events: tuple[tuple[Event, ...], ...]
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
