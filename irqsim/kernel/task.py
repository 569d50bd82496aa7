"""A task.  Source: include/linux/sched.h: struct task_struct."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final

from irqsim.events import TASK_RUNNING

if TYPE_CHECKING:
    from irqsim.events import Context
    from irqsim.kernel.frame import Frame
    from irqsim.kernel.rtmutex import RtMutex

Path = Generator[int, None, None]
"""Kernel code that takes time; kernel/state.py says what it yields."""

TASK_NEW: Final = 0x800
"""Not started yet: nothing but its start wakes it."""
TASK_RTLOCK_WAIT: Final = 0x1000
"""It waits for a spin lock (PREEMPT_RT): only the lock wakes it.  Traces print D."""

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
        "migration_disabled",
        "nice",
        "normal_prio",
        "nr_switches",
        "on_rq",
        "pi_blocked_on",
        "pi_locks",
        "pid",
        "policy",
        "preempt_count",
        "prio",
        "protected_ns",
        "rcu_blocked",
        "rcu_read_lock_nesting",
        "saved_state",
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
    is_delayed: bool
    """It sleeps, and stays in the queue until it is no longer ahead of the others (EEVDF)."""
    vlag_ns: int
    """While it sleeps: how far it was behind the others, and will be when it wakes (EEVDF)."""
    exec_start_ns: int
    sum_exec_ns: int
    slice_start_ns: int
    """sum_exec_ns when it was last switched to."""
    time_slice: int
    """Ticks left of a SCHED_RR task's slice."""
    is_requeued: bool
    """A real-time task that is to go behind its equals at the next switch."""
    nr_switches: int

    # kernel/rtmutex.py's (PREEMPT_RT).
    migration_disabled: int
    """Depth of migrate_disable(); while it is not 0, need_resched_lazy waits."""
    normal_prio: int
    """Its own priority; `prio` is higher while a more urgent task waits for one of its locks.
    Set when it first waits for a lock or is waited for (-1 until then)."""
    pi_blocked_on: RtMutex | None
    pi_locks: list[RtMutex]
    """Locks that it holds and others wait for."""
    saved_state: int
    """Its state before it came to wait for a spin lock."""
    rcu_read_lock_nesting: int
    """How many spin locks it holds, the one of bottom halves included."""
    rcu_blocked: bool
    """It has been switched away from while it held one: RCU is told when it lets go."""

    # The engine's, while the task does not run.
    frames: list[Frame]
    preempt_count: int

    # kernel/entry.py's.
    fpsimd_cpu: int
    """Where its floating-point registers were loaded last."""

    # Its own code's.
    in_user: bool

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
        self.exec_start_ns = 0
        self.sum_exec_ns = 0
        self.slice_start_ns = 0
        self.time_slice = 0
        self.is_delayed = False
        self.is_requeued = False
        self.nr_switches = 0
        self.migration_disabled = 0
        self.normal_prio = -1
        self.pi_blocked_on = None
        self.pi_locks = []
        self.saved_state = TASK_RUNNING
        self.rcu_read_lock_nesting = 0
        self.rcu_blocked = False
        self.frames = []
        self.preempt_count = 0
        self.fpsimd_cpu = -1
        self.in_user = False
        self.contexts = {}
