"""Laws over a kernel's state, between two of its steps.

The kernel is known here by its shape only: whatever has these members can be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from attrs import frozen

from irqsim.clock import NEVER

NESTED_MAX: Final = 3
"""Interrupts on a stack: one that gives way on its return, with interrupts on; one whose softirqs
run; and one on top of these."""

_HARDIRQ_MASK: Final = 0x000F0000
_IRQS_POLL_INPROGRESS: Final = 0x8


class FrameState(Protocol):
    """A level of a stack."""

    is_irq: bool
    preempt_count: int


class TaskState(Protocol):
    """A task_struct."""

    comm: str
    pid: int
    state: int
    cpu: int
    on_rq: bool
    preempt_count: int


class TimeState(Protocol):
    """Where a CPU's time went."""

    hardirq_ns: int
    softirq_ns: int
    system_ns: int
    user_ns: int
    idle_ns: int
    offline_ns: int


class QueueState(Protocol):
    """A run queue, without the task that runs."""

    @property
    def rt(self) -> Sequence[TaskState]: ...

    @property
    def fair(self) -> Sequence[TaskState]: ...


class PollState(Protocol):
    """A CPU's struct softnet_data."""

    @property
    def poll_list(self) -> Sequence[object]: ...


class WheelState(Protocol):
    """A CPU's wheel of timers."""

    @property
    def pending(self) -> Sequence[object]: ...


class HrTimersState(Protocol):
    """A CPU's queues of high-resolution timers."""

    @property
    def hard(self) -> Sequence[object]: ...

    @property
    def soft(self) -> Sequence[object]: ...


class HotplugState(Protocol):
    """What is under way of CPUs that go and come."""

    @property
    def dead(self) -> CpuState | None: ...


class CpuState(Protocol):
    """A CPU."""

    number: int
    is_online: bool
    since_ns: int
    due_ns: int
    irqs_disabled: bool
    preempt_count: int
    softirq_pending: int
    softirq_ctrl_cnt: int
    tif_need_resched: bool

    @property
    def frames(self) -> Sequence[FrameState]: ...

    @property
    def current(self) -> TaskState: ...

    @property
    def idle(self) -> TaskState: ...

    @property
    def rq(self) -> QueueState: ...

    @property
    def time(self) -> TimeState: ...

    @property
    def wake_list(self) -> Sequence[object]: ...

    @property
    def call_queue(self) -> Sequence[object]: ...

    @property
    def tasklet_vec(self) -> Sequence[object]: ...

    @property
    def tasklet_hi_vec(self) -> Sequence[object]: ...

    @property
    def softnet(self) -> PollState: ...

    @property
    def timers(self) -> WheelState: ...

    @property
    def hrtimers(self) -> HrTimersState: ...


class ChipState(Protocol):
    """An irq_chip."""

    has_set_affinity: bool


class LineState(Protocol):
    """An irq_desc."""

    irq: int
    depth: int
    istate: int
    irqs_disabled: bool
    inprogress: bool
    effective_cpu: int
    percpu: bool
    is_nmi: bool
    tot_count: int

    @property
    def actions(self) -> Sequence[object]: ...

    @property
    def kstat_irqs(self) -> Sequence[int]: ...

    @property
    def chip(self) -> ChipState: ...


class KernelState(Protocol):
    """A kernel."""

    now_ns: int
    jiffies: int
    tick_ns: int
    atomic_mask: int
    preempt_count_built: bool

    @property
    def hotplug(self) -> HotplugState: ...

    @property
    def cpus(self) -> Sequence[CpuState]: ...

    @property
    def tasks(self) -> Sequence[TaskState]: ...

    @property
    def irq_desc(self) -> Mapping[int, LineState]: ...


@frozen
class StateInvariant:
    """A law over the state of a kernel: `faults` says where it does not hold."""

    name: str
    law: str
    source: str
    faults: Callable[[KernelState], list[str]]


def time_faults(k: KernelState) -> list[str]:
    """Compare the sum of each CPU's account with the time up to which it is kept."""
    faults = []
    for cpu in k.cpus:
        time = cpu.time
        total_ns = (
            time.hardirq_ns
            + time.softirq_ns
            + time.system_ns
            + time.user_ns
            + time.idle_ns
            + time.offline_ns
        )
        if total_ns != cpu.since_ns:
            faults.append(f"CPU {cpu.number}: {total_ns} ns accounted for of {cpu.since_ns} ns")
    return faults


def preempt_count_faults(k: KernelState) -> list[str]:
    """Compare preempt_count with what is on each CPU's stack, and of those who do not run."""
    faults = []
    idle_count = 1 if k.preempt_count_built else 0
    running = [cpu.current for cpu in k.cpus]
    for cpu in k.cpus:
        nr_irqs = sum(frame.is_irq for frame in cpu.frames)
        where, count = f"CPU {cpu.number}", cpu.preempt_count
        if count & _HARDIRQ_MASK and not nr_irqs:
            faults.append(f"{where}: {count:#x} without a hard interrupt")
        if cpu.current is cpu.idle and not nr_irqs and count != idle_count:
            faults.append(f"{where}: {count:#x} in the idle task")
        if nr_irqs > NESTED_MAX:
            faults.append(f"{where}: {nr_irqs} interrupts on its stack")
    for task in k.tasks:
        is_running = any(task is each for each in running)
        if not is_running and task.preempt_count & k.atomic_mask:
            faults.append(f"{task.comm}-{task.pid} does not run, with {task.preempt_count:#x}")
    return faults


def place_faults(k: KernelState) -> list[str]:
    """Look for tasks that run or wait at two places, or at none though they could run."""
    places: dict[int, list[str]] = {}
    for cpu in k.cpus:
        if cpu.current is not cpu.idle:
            places.setdefault(cpu.current.pid, []).append(f"runs on CPU {cpu.number}")
        for task in (*cpu.rq.rt, *cpu.rq.fair):
            places.setdefault(task.pid, []).append(f"waits on CPU {cpu.number}")
            if task.cpu != cpu.number:
                places[task.pid].append(f"believes to be on CPU {task.cpu}")
    faults = []
    for task in k.tasks:
        found = places.get(task.pid, [])
        if len(found) > 1:
            faults.append(f"{task.comm}-{task.pid} {' and '.join(found)}")
        if task.on_rq and not found:
            faults.append(f"{task.comm}-{task.pid} is on a run queue, but on none of them")
    return faults


def idle_faults(k: KernelState) -> list[str]:
    """Look for CPUs that wait for an interrupt though they have something to do."""
    faults = []
    for cpu in k.cpus:
        is_waiting = (
            cpu.current is cpu.idle and len(cpu.frames) == 1 and cpu.due_ns == NEVER
        )
        # A remote CPU that wakes a task sets need_resched before its interrupt arrives.
        if not is_waiting or cpu.tif_need_resched or not cpu.is_online:
            continue
        # On PREEMPT_RT who holds bottom halves off may sleep; see local_bh_blocked().
        if cpu.softirq_pending and not cpu.softirq_ctrl_cnt:
            faults.append(f"CPU {cpu.number} idles with softirqs {cpu.softirq_pending:#x} pending")
        if cpu.rq.rt or cpu.rq.fair:
            faults.append(f"CPU {cpu.number} idles with tasks on its run queue")
        if cpu.irqs_disabled:
            faults.append(f"CPU {cpu.number} idles with interrupts off")
    return faults


def line_faults(k: KernelState) -> list[str]:
    """Look for lines whose parts contradict each other."""
    faults = []
    is_hard = any(cpu.preempt_count & _HARDIRQ_MASK for cpu in k.cpus)
    for line in k.irq_desc.values():
        if line.irqs_disabled != (line.depth > 0):
            faults.append(f"irq {line.irq}: disabled {line.irqs_disabled}, depth {line.depth}")
        is_polled = line.istate & _IRQS_POLL_INPROGRESS
        if line.inprogress and not is_hard and not is_polled:
            faults.append(f"irq {line.irq}: in progress, but no CPU serves an interrupt")
        if not line.percpu and not line.is_nmi and line.tot_count != sum(line.kstat_irqs):
            faults.append(f"irq {line.irq}: counts {list(line.kstat_irqs)}, total {line.tot_count}")
    return faults


def offline_faults(k: KernelState) -> list[str]:
    """Look for what CPUs that are off still hold; one that has just died is about to be relieved
    of some of it."""
    faults = []
    for cpu in k.cpus:
        if cpu.is_online:
            continue
        held: dict[str, object] = {
            "tasks": [*cpu.rq.rt, *cpu.rq.fair],
            "tasks to be woken": cpu.wake_list,
            "functions to be called": cpu.call_queue,
            "hrtimers": [*cpu.hrtimers.hard, *cpu.hrtimers.soft],
        }
        if k.hotplug.dead is not cpu and cpu.current is cpu.idle:
            held["softirqs"] = cpu.softirq_pending
            held["tasklets"] = [*cpu.tasklet_vec, *cpu.tasklet_hi_vec]
            held["packets to be polled"] = cpu.softnet.poll_list
            held["timers"] = cpu.timers.pending
        faults += [f"CPU {cpu.number} is off, and holds {what}" for what in held if held[what]]
    return faults


def target_faults(k: KernelState) -> list[str]:
    """Look for lines whose interrupts go to a CPU that is off."""
    return [
        f"irq {line.irq} goes to CPU {line.effective_cpu}, which is off"
        for line in k.irq_desc.values()
        if line.actions
        and not line.percpu
        and line.chip.has_set_affinity
        and not k.cpus[line.effective_cpu].is_online
    ]


def jiffies_faults(k: KernelState) -> list[str]:
    """Jiffies are whole ticks that have passed; with all CPUs idle they may lag."""
    if 0 <= k.jiffies <= k.now_ns // k.tick_ns:
        return []
    return [f"jiffies are {k.jiffies} at {k.now_ns} ns, of {k.tick_ns} ns each"]


STATE_INVARIANTS: Final[tuple[StateInvariant, ...]] = (
    StateInvariant(
        "time_is_accounted_once",
        "The times that a CPU spent in hard interrupts, in softirqs, in the kernel, in user code "
        "and idle add up to the time that has passed.",
        "kernel/sched/cputime.c: account_system_time, account_idle_time",
        time_faults,
    ),
    StateInvariant(
        "preempt_count_is_balanced",
        "preempt_count says what is on a CPU's stack, and is 0 for a task that does not run.",
        "include/linux/preempt.h; kernel/sched/core.c: finish_task_switch",
        preempt_count_faults,
    ),
    StateInvariant(
        "every_task_is_at_one_place",
        "A task runs on one CPU, or waits on one run queue, or sleeps.",
        "kernel/sched/core.c: p->on_cpu, p->on_rq",
        place_faults,
    ),
    StateInvariant(
        "no_cpu_idles_with_work_to_do",
        "A CPU waits for an interrupt only when no task is runnable and no softirq is pending, "
        "but one that a task holds back which sleeps with bottom halves off (PREEMPT_RT).",
        "kernel/sched/idle.c: do_idle; kernel/time/tick-sched.c: report_idle_softirq",
        idle_faults,
    ),
    StateInvariant(
        "a_line_does_not_contradict_itself",
        "A line is disabled if its depth is not 0, in progress only while a CPU serves an "
        "interrupt or polls it, and its total is the sum of its counts.",
        "kernel/irq/chip.c: irq_disable; kernel/irq/handle.c: handle_irq_event",
        line_faults,
    ),
    StateInvariant(
        "a_cpu_that_is_off_holds_nothing",
        "Nothing waits on a CPU that is off: no task, no timer, no tasklet, no softirq, no packet.",
        "kernel/cpu.c: cpuhp_hp_states: the teardown callbacks; kernel/sched/core.c: "
        "sched_cpu_wait_empty",
        offline_faults,
    ),
    StateInvariant(
        "no_line_goes_to_a_cpu_that_is_off",
        "The interrupts of a line go to a CPU that is online.",
        "kernel/irq/cpuhotplug.c: irq_migrate_all_off_this_cpu",
        target_faults,
    ),
    StateInvariant(
        "jiffies_do_not_run_ahead",
        "Jiffies count whole ticks that have passed.",
        "kernel/time/tick-sched.c: tick_do_update_jiffies64",
        jiffies_faults,
    ),
)


def check_state(k: KernelState) -> list[str]:
    """All that is wrong with a kernel's state now, each with the name of its law."""
    return [
        f"{each.name}: {fault}" for each in STATE_INVARIANTS for fault in each.faults(k)
    ]
