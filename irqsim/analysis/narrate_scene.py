"""What a telling of a log needs to know: of the machine beforehand, and of each CPU from the log.

The machine is what a scenario says of it; of a log that somebody else has written most of it is
not known, and then less is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import Factory, field, frozen

from irqsim.analysis.passes import PassOrder
from irqsim.analysis.timeline import vector_name
from irqsim.events import HARDIRQ, PREEMPT_MASK, SOFTIRQ, Context, Event, Release, Value
from irqsim.records import TraceHeader

Values = dict[str, Value]
Telling = Iterator[tuple[str, Values]]
"""Keys of sentences, with the values that they need beyond those of every record."""

HARD: Final = 2
SOFT: Final = 1
TASK: Final = 0

_KTHREADS: Final = (
    "ksoftirqd/", "irq/", "kworker/", "migration/", "cpuhp/", "rcuc/", "rcub/", "ktimers/",
    "irq_work/", "rcu_sched", "rcu_preempt", "kthreadd", "napi/",
)  # fmt: skip
"""How the names of tasks begin that never leave the kernel."""


ROOT_FILES: Final = {
    "gic-v3": "drivers/irqchip/irq-gic-v3.c",
    "bcm2836": "drivers/irqchip/irq-bcm2836.c",
}
"""By controller: where its root handler is, if not in irq-gic.c."""


@frozen
class Line:
    """An interrupt line, as its irq_desc has it."""

    irq: int
    hwirq: int
    flow: str
    chip: str = ""
    """The controller that hwirq is a line of; empty: the GIC, and hwirq is an INTID."""
    is_level: bool = True
    is_oneshot: bool = False
    is_percpu: bool = False
    names: tuple[str, ...] = ()
    """Of its actions, in the order in which they are called."""
    unhandled: tuple[str, ...] = ()
    """Of them, those whose driver has given no handler."""
    forced: tuple[str, ...] = ()
    """Of them, those whose handler is forced into a thread."""


@frozen
class Ground:
    """What is known of the machine besides the log; None: nobody has said."""

    arch: str | None = None
    release: Release | None = None
    gic: str | None = None
    preempt: str | None = None
    threadirqs: bool = False
    softirq_restart: int = 10
    netdev_budget: int = 300
    has_flags: bool = True
    """Contexts have flags."""
    logs_exceptions: bool = False
    """The log has the lines of the option `exceptions`, all of them."""
    loops: bool = False
    """The root handler serves more than one interrupt in one exception."""
    sees_raises: bool = False
    """Every softirq_raise is in the log."""
    lines: dict[int, Line] = Factory(dict)
    arrivals: dict[str, Iterator[int]] = field(factory=dict, eq=False)
    """By device: when it wants service, ascending, by the trace clock."""
    entry_ns: int = 0
    """What it takes from the signal to the handler at the least."""
    disables: bool = False
    """Somebody disables lines."""

    @property
    def is_rt(self) -> bool:
        """The kernel is PREEMPT_RT."""
        return self.preempt == "rt"

    @property
    def defers(self) -> bool:
        """irq_exit() leaves softirqs to a ksoftirqd that is runnable."""
        return self.release is not None and self.release < (6, 5) and not self.is_rt

    def names(self) -> Values:
        """What functions and files are called in this release, on this architecture."""
        release = self.release or (6, 1)
        before_5_15 = release < (5, 15)
        is_arm = self.arch == "arm"
        arm64_entry = "arch/arm64/kernel/entry" + (".S" if before_5_15 else "-common.c")
        enter = "irq_enter" if release < (5, 16) or is_arm else "irq_enter_rcu"
        back = "arch/arm/kernel/signal.c" if is_arm else arm64_entry
        if not is_arm and before_5_15:
            back = "arch/arm64/kernel/signal.c"
        return {
            "arch": self.arch or "arm64",
            "root": "bcm2836_arm_irqchip_handle_irq"
            if self.gic == "bcm2836"
            else "gic_handle_irq",
            "gic_file": ROOT_FILES.get(self.gic or "", "drivers/irqchip/irq-gic.c"),
            "resolve": "generic_handle_domain_irq"
            if release >= (5, 16)
            else "__handle_domain_irq",
            "entry_file": "arch/arm/kernel/entry-armv.S" if is_arm else "arch/arm64/kernel/entry.S",
            "el1_irq": "el1_irq" if before_5_15 else "el1h_64_irq",
            "el0_irq": "el0_irq" if before_5_15 else "el0t_64_irq",
            "exception_return": "svc_exit" if is_arm else "kernel_exit",
            "irq_enter": enter,
            "irq_exit": "irq_exit" if enter == "irq_enter" else "__irq_exit_rcu",
            "softirqs": "__do_softirq" if release < (6, 10) else "handle_softirqs",
            "wakeup_preempt": "check_preempt_curr" if release < (6, 6) else "wakeup_preempt",
            "user_return": "do_work_pending" if is_arm else "do_notify_resume",
            "return_file": back if self.arch else "kernel/sched/core.c",
            "scheduler_ipi_file": "kernel/sched/core.c"
            if release < (5, 8)
            else "include/linux/sched.h",
            "wake_worker": "wake_up_worker" if release < (6, 6) else "kick_pool",
            "fork": "_do_fork" if release < (5, 10) else "kernel_clone",
            "tick": "tick_sched_timer" if release < (6, 8) else "tick_nohz_handler",
        }


def ground_of_log(header: TraceHeader, arch: str | None = None) -> Ground:
    """What a log says of the machine."""
    version = header.kernel_version or ""
    if arch is None and version.endswith(("arm64", "aarch64")):
        arch = "arm64"
    if arch is None and ("armmp" in version or version.endswith(("v7", "v7l"))):
        arch = "arm"
    release: Release | None = None
    parts = version.split(".")
    if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit():
        release = int(parts[0]), int(parts[1])
    preempt = {
        "server": "none", "desktop": "voluntary", "preempt": "full", "preempt_rt": "rt",
    }.get(header.preempt_model or "", "rt" if header.is_rt else None)  # fmt: skip
    return Ground(arch, release, preempt=preempt, has_flags=header.has_irq_info)


class Turns(PassOrder):
    """How many passes of softirqs the present turn of a CPU has had."""

    __slots__ = ()

    def nr_passes(self, cpu: int) -> int:
        """0: no turn."""
        known = self._cpus.get(cpu)
        return 0 if known is None else known.nr_passes


@frozen
class Interrupted:
    """What an exception came upon."""

    level: int
    depth: int
    """preempt_disable() then."""
    has_bh_off: bool


class Place:
    """What one CPU is at."""

    __slots__ = (
        "called", "exceptions", "flags", "from_user", "handlers", "in_tasklet", "irq",
        "ksoftirqd_up", "level",
        "napi_total", "nr_handled", "pass_told", "pending", "vec",
    )  # fmt: skip

    def __init__(self) -> None:
        self.level = TASK
        """Of its last record."""
        self.flags = 0
        self.from_user: bool | None = None
        """Where the exception that has just been taken comes from; None: no record says it."""
        self.exceptions: list[Interrupted] = []
        """Those that have not been returned from, the innermost last."""
        self.handlers: list[tuple[int, str]] = []
        """Those that run."""
        self.irq = -1
        self.called: list[str] = []
        """The line of the last exception, and its actions that have been called."""
        self.nr_handled = 0
        """How many of them said that it was theirs."""
        self.pending: dict[int, bool] = {}
        """Vectors that have been raised and have not begun."""
        self.vec: int | None = None
        self.pass_told = 0
        """The pass of the present turn that has been told last; 0: no turn."""
        self.napi_total = 0
        self.in_tasklet = False
        self.ksoftirqd_up = False
        """This CPU's ksoftirqd has been woken and has not slept since."""

    def leave(self, level: int) -> bool:
        """Whether exceptions are over now that code of this level runs; they are forgotten."""
        nr = len(self.exceptions)
        while self.exceptions and self.exceptions[-1].level >= level:
            self.exceptions.pop()
        return len(self.exceptions) < nr

    def vectors(self) -> str:
        """The names of what is pending."""
        return ", ".join(vector_name(vec) for vec in sorted(self.pending))


@frozen(eq=False)
class Scene:
    """A record, and where it stands."""

    time_ns: int
    context: Context
    event: Event
    place: Place
    level: int
    ground: Ground

    @property
    def who(self) -> str:
        """The task that runs, as the log shows it."""
        return f"{self.context.comm}-{self.context.pid}"

    def number(self, name: str) -> int:
        """The value of a field that is a number."""
        value = self.event[name]
        return value if isinstance(value, int) else 0

    def is_kernel(self) -> bool:
        """What runs below interrupts is kernel code for certain."""
        context = self.context
        return (
            not context.pid
            or self.place.level == SOFT
            or bool(context.preempt_count & PREEMPT_MASK)
            or context.comm.startswith(_KTHREADS)
        )


def level_of(context: Context, place: Place, has_flags: bool) -> int:
    """Hard interrupt, softirq or task; without flags by what has begun and not ended."""
    if has_flags:
        if context.flags & HARDIRQ:
            return HARD
        return SOFT if context.flags & SOFTIRQ else TASK
    if place.handlers:
        return HARD
    return TASK if place.vec is None else SOFT
