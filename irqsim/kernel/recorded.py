"""What a capture decided, for a run that replays it.

A capture says who ran next at each switch, what each softirq and each inter-processor interrupt
did, and when a CPU woke.  Here that stands in for the model's own decisions, as long as the run
is where the capture was: a switch is the recorded one if the task that gives way is the recorded
one and the recorded next task can run; anything else, such as a thread that the capture does not
know, and the model decides by itself.

What a run of a softirq vector does travels with the raise that asked for it: each raise puts its
work into the CPU's queue of that vector, and each run takes one, or all that is left when the
vector is not pending any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from irqsim.events import SCHED_WAKEUP, SCHED_WAKING, TASK_RUNNING, Event
from irqsim.kernel.preempt import IN_INTERRUPT_MASK
from irqsim.kernel.sched import activate, fold_need_resched, schedule
from irqsim.kernel.state import IDLE, Cpu, Kernel, Path, Task
from irqsim.kernel.tick import update_jiffies
from irqsim.kernel.trace import trace
from irqsim.kernel.wakeup import wake_up_process

WINDOW: Final = 64
"""How many recorded switches of a CPU may have been left out, at most, before it is lost."""

NR_VECTORS: Final = 10


class Recorded:
    """The recorded decisions of one capture, and how far the run has come in them."""

    __slots__ = (
        "_deferred", "_early", "_known", "_names", "_next", "_switches", "_tails", "ipis",
        "ksoftirqd", "later", "sections", "waits", "work",
    )  # fmt: skip

    # Fixed when the machine is built.
    _switches: list[list[tuple[int, str, str, int]]]
    """By CPU: when who gave way to whom, and how often that one has come to run by then."""
    _known: dict[str, None]
    """Every name that is in a switch."""
    _names: dict[Task, str]

    # Below: this module's, and the replay's steps'.
    _next: list[int]
    _deferred: dict[str, int]
    """Woken before they slept, and on which CPU: a run that has come apart a little."""
    _early: dict[str, int]
    """Woken by the model, for a recorded wake-up that is still to come."""
    sections: dict[str, int]
    """By name: which of its sections a task does, as recorded: the first is 1."""
    work: list[list[deque[tuple[int, int, bool]]]]
    """By CPU and vector: the lines of what the next runs do, their delays in ns, and whether
    a round of softirqs began with them."""
    ipis: dict[tuple[int, int], list[Callable[[Kernel, Cpu], Path]]]
    """By CPU and number: what the next inter-processor interrupt does."""
    ksoftirqd: list[Callable[[int], tuple[Path, int]]]
    """By CPU: what its ksoftirqd does in a section before it runs softirqs, and how long it
    goes on behind them, in ns."""
    _tails: list[int]
    """By CPU: what of that is left in this section."""
    later: dict[int, Path]
    """By CPU: what the interrupt does when its handlers are done."""
    waits: list[bool]
    """By CPU: its idle task waits, until somebody is to run."""

    def __init__(self, nr_cpus: int, switches: Sequence[tuple[int, int, str, str]]) -> None:
        self._switches = [[] for _ in range(nr_cpus)]
        self._known = {}
        nr_sections: dict[str, int] = {}
        for time_ns, cpu, prev, following in switches:
            nr_sections[following] = nr_sections.get(following, 0) + 1
            self._switches[cpu].append((time_ns, prev, following, nr_sections[following]))
            self._known[prev] = self._known[following] = None
        self.sections = {}
        self._names = {}
        self._next = [0] * nr_cpus
        self._deferred = {}
        self._early = {}
        self.work = [[deque() for _ in range(NR_VECTORS)] for _ in range(nr_cpus)]
        self.ipis = {}
        self.ksoftirqd = []
        self.later = {}
        self._tails = [0] * nr_cpus
        self.waits = [False] * nr_cpus

    def name_task(self, task: Task, name: str) -> None:
        """Say by which name the capture's switches call a task; the others go by their comm."""
        self._names[task] = name

    def name_of(self, task: Task) -> str:
        return self._names.get(task, task.comm)

    # -- who runs next ---------------------------------------------------------------------

    def expects_switch(self, cpu: Cpu) -> bool:
        """Whether the next recorded switch of this CPU is from the task that runs."""
        switches, at = self._switches[cpu.number], self._next[cpu.number]
        return at < len(switches) and switches[at][1] == self.name_of(cpu.current)

    def pick(self, k: Kernel, cpu: Cpu) -> Task | None:
        """The recorded next task, taken off its queue; None: the model is to choose."""
        at = self._place(cpu)
        queued = [*cpu.rq.rt, *cpu.rq.fair]
        if at is None or any(self.name_of(task) not in self._known for task in queued):
            return None
        _, _, wanted, section = self._switches[cpu.number][at]
        found = cpu.idle if wanted == cpu.idle.comm else self._take(k, cpu, wanted)
        if found is not None:
            self._next[cpu.number] = at + 1
            self.sections[wanted] = section
        return found

    def _place(self, cpu: Cpu) -> int | None:
        """Where in the recorded switches the CPU is: what was left out is passed over."""
        switches, start = self._switches[cpu.number], self._next[cpu.number]
        name = self.name_of(cpu.current)
        for at in range(start, min(start + WINDOW, len(switches))):
            if switches[at][1] == name:
                return at
        return None

    def _take(self, k: Kernel, cpu: Cpu, name: str) -> Task | None:
        """Take a runnable task off its queue, from another CPU's too."""
        if name in self._deferred:
            for task in k.tasks:
                if self.name_of(task) == name and task is not cpu.current and not task.on_rq:
                    del self._deferred[name]
                    task.state = TASK_RUNNING
                    activate(k, cpu, cpu, task)
                    break
        for other in (cpu, *k.cpus):
            for queue in (other.rq.rt, other.rq.fair):
                for task in queue:
                    if self.name_of(task) == name and cpu.number in task.allowed:
                        queue.remove(task)
                        task.cpu = cpu.number
                        return task
        return None

    # -- waking ----------------------------------------------------------------------------

    def wake_early(self, task: Task) -> None:
        """Note that the model has woken a task whose recorded wake-up is still to come."""
        name = self.name_of(task)
        self._early[name] = self._early.get(name, 0) + 1

    def is_woken(self, task: Task) -> bool:
        """Whether the model has done this recorded wake-up already; asked once for each."""
        name = self.name_of(task)
        if not self._early.get(name):
            return False
        self._early[name] -= 1
        return True

    def wake(self, k: Kernel, cpu: Cpu, task: Task, target: Cpu) -> None:
        """Make a task runnable on the CPU on which the capture has it."""
        if task.on_rq:
            self._deferred[self.name_of(task)] = target.number
            return
        task.state = TASK_RUNNING
        task.cpu = target.number
        activate(k, cpu, target, task)
        if target.current is target.idle:
            target.tif_need_resched = True
            if target is cpu:
                fold_need_resched(k, target)

    # -- softirqs, IPIs, idling ------------------------------------------------------------

    def before_softirqs(self, cpu: Cpu) -> Path:
        """What ksoftirqd does when it has come to run; it may have to give way meanwhile."""
        section = self.sections.pop(cpu.ksoftirqd.comm, 0)
        while section and self.ksoftirqd:
            path, self._tails[cpu.number] = self.ksoftirqd[cpu.number](section)
            yield from path
            section = self.sections.pop(cpu.ksoftirqd.comm, 0)

    def after_softirqs(self, cpu: Cpu) -> Path:
        """How ksoftirqd ends a section."""
        tail_ns, self._tails[cpu.number] = self._tails[cpu.number], 0
        if tail_ns:
            yield tail_ns

    def softirq_delay(self, k: Kernel, cpu: Cpu, vec: int, default_ns: int) -> int:
        """How long it takes until the run of a vector begins, in ns."""
        update_jiffies(k)
        work = self.work[cpu.number][vec]
        return work[0][1] if work else default_ns

    def goes_on(self, cpu: Cpu, limit: bool) -> bool:
        """Whether another pass follows, as it was recorded; `limit` is what the model says."""
        for vec in range(NR_VECTORS):
            if cpu.softirq_pending & 1 << vec and self.work[cpu.number][vec]:
                return not self.work[cpu.number][vec][0][2]
        return limit

    def take_work(self, cpu: Cpu, vec: int) -> list[int]:
        """The lines that this run of a vector does."""
        work = self.work[cpu.number][vec]
        lines = [work.popleft()[0]] if work else []
        while work and not cpu.softirq_pending & 1 << vec:
            lines.append(work.popleft()[0])
        return lines

    def run_ipi(self, k: Kernel, cpu: Cpu, number: int) -> Path:
        """What an inter-processor interrupt does, of all its senders."""
        update_jiffies(k)
        for path in self.ipis.pop((cpu.number, number), ()):
            yield from path(k, cpu)

    def after_handlers(self, cpu: Cpu) -> Path:
        """What the interrupt does behind its handlers."""
        path = self.later.pop(cpu.number, None)
        if path is not None:
            yield from path

    def gives_way(self, cpu: Cpu) -> bool:
        """Whether a process makes room, when an interrupt returns, for somebody more urgent whom
        the capture does not know: as if it was in user mode, which no log says."""
        task = cpu.current
        if not task.has_mm or len(cpu.frames) != 2 or cpu.preempt_count & IN_INTERRUPT_MASK:
            return False
        return any(
            other.prio < task.prio and self.name_of(other) not in self._known
            for other in (*cpu.rq.rt, *cpu.rq.fair)
        )

    def end_wait(self, cpu: Cpu) -> None:
        """Somebody is to run: an idle task that waits goes on as soon as the interrupt is over."""
        if cpu.current is cpu.idle and self.waits[cpu.number]:
            cpu.frames[0].owed = 0


def recorded_of(k: Kernel) -> Recorded:
    """The recorded decisions: of a machine that replays a capture."""
    assert k.recorded is not None
    return k.recorded


# -- what the steps of a replay do -----------------------------------------------------------


def switch(k: Kernel, cpu: Cpu, state: int, preempt: bool) -> Path:
    """Leave the CPU as the capture has it: asleep, or only if it does or the kernel asks."""
    recorded = recorded_of(k)
    if state == TASK_RUNNING and not recorded.expects_switch(cpu) and not cpu.tif_need_resched:
        return
    task, nr_switches = cpu.current, cpu.nr_switches
    task.state = state
    yield from schedule(k, cpu, preempt)
    while task is cpu.idle and cpu.nr_switches == nr_switches:
        # Nobody is there to run yet.
        yield from wait_resched(k, cpu)
        yield from schedule(k, cpu, preempt)


def sched_waking(k: Kernel, cpu: Cpu, task: Task, target: Cpu, is_here: bool) -> Path:
    """The first half of a wake-up; all of it where the code now runs on another CPU."""
    if is_here:
        trace_irqs_off(
            k, cpu, k.events.intern(SCHED_WAKING, task.comm, task.pid, task.prio, target.number)
        )
    elif not task.on_rq:
        recorded_of(k).wake_early(task)
        yield from wake_up_process(k, cpu, task)


def sched_wakeup(
    k: Kernel, cpu: Cpu, task: Task, target: Cpu, is_here: bool, is_traced: bool = True
) -> Path:
    """The second half: the task can run."""
    recorded = recorded_of(k)
    if recorded.is_woken(task):
        return
    if is_here:
        recorded.wake(k, cpu, task, target)
        if is_traced:
            event = k.events.intern(SCHED_WAKEUP, task.comm, task.pid, task.prio, target.number)
            trace_irqs_off(k, cpu, event)
    elif not task.on_rq:
        yield from wake_up_process(k, cpu, task)


def trace_irqs_off(k: Kernel, cpu: Cpu, event: Event) -> None:
    """A line of a wake-up, which holds the task's lock with interrupts off.

    Source: kernel/sched/core.c: try_to_wake_up: p->pi_lock.
    """
    saved = cpu.irqs_disabled
    cpu.irqs_disabled = True
    trace(k, cpu, event)
    cpu.irqs_disabled = saved


def need_resched(k: Kernel, cpu: Cpu) -> None:
    """Somebody is to run, for a reason that the log does not show."""
    cpu.tif_need_resched = True
    fold_need_resched(k, cpu)


def wait(k: Kernel, cpu: Cpu, duration_ns: int) -> Path:
    """Wait so long, or until an interrupt has made somebody runnable: the idle task's step."""
    recorded = recorded_of(k)
    if not cpu.tif_need_resched:
        recorded.waits[cpu.number] = True
        yield duration_ns
        recorded.waits[cpu.number] = False


def wait_resched(k: Kernel, cpu: Cpu) -> Path:
    """Wait until somebody is to run: the idle task's step."""
    while not cpu.tif_need_resched:
        yield IDLE
