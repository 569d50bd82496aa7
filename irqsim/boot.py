"""A kernel as it stands when it has booted: CPUs idle, lines mapped, vectors open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.clock import EventQueue
from irqsim.events import (
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    SOFTIRQ_RAISE,
    TASK_INTERRUPTIBLE,
    TRACEPOINTS,
)
from irqsim.hw.exception import take_irq_armv7, take_irq_armv8
from irqsim.hw.timer import ArchTimer
from irqsim.irqchips import Board
from irqsim.kernel import softirq
from irqsim.kernel.costs import CostTable
from irqsim.kernel.cpu import Hotplug, create_cpuhp_thread
from irqsim.kernel.dev import SoftnetData, net_rx_action
from irqsim.kernel.entry import log_exceptions
from irqsim.kernel.frame import Frame
from irqsim.kernel.hrtimer import HrTimerBase, hrtimer_interrupt, hrtimer_run_softirq
from irqsim.kernel.idle import cpu_idle
from irqsim.kernel.irq import manage
from irqsim.kernel.irq.handle import handle_irq_event
from irqsim.kernel.irq.ipi import init_ipis
from irqsim.kernel.irq.irqdesc import IrqAction
from irqsim.kernel.irq.resend import Resend
from irqsim.kernel.irq.spurious import FIXUP, POLL, Spurious, announce, poll_spurious_irqs
from irqsim.kernel.irq.storm import StormDetector
from irqsim.kernel.preempt import ATOMIC_MASK, PREEMPT_OFFSET, RT_ATOMIC_MASK
from irqsim.kernel.release import release_named
from irqsim.kernel.rtmutex import RtMutex
from irqsim.kernel.sched import RunQueue, new_task
from irqsim.kernel.state import Cpu, Kernel, Task
from irqsim.kernel.stop_machine import create_stopper
from irqsim.kernel.tick import TickSched, start_tick
from irqsim.kernel.timer import TimerBase, TimerList, run_timer_softirq
from irqsim.kernel.timersd import create_rt_threads
from irqsim.kernel.trace import set_tracing_on
from irqsim.kernel.vectors import no_action, rcu_core, run_rebalance_domains
from irqsim.kernel.workqueue import QUEUE_NAMES, WorkerPools
from irqsim.records import EventTable
from irqsim.scenario.spec import KernelSpec, ScenarioSpec

NSEC_PER_SEC: Final = 1_000_000_000
NR_KTHREADS: Final = 5
"""Threads of its own that a CPU gets when it is brought up."""
NR_RT_KTHREADS: Final = 8
"""The same on PREEMPT_RT."""
FIRST_USER_PID: Final = 100
POLL_SPURIOUS_IRQ_TIMER: Final = 1 << 20
SYSTEM_WORKQUEUES: Final = POLL_SPURIOUS_IRQ_TIMER + 1
"""The numbers of objects that the kernel has anyway, for their addresses; others count from 1."""


class ClockEvent:
    """A CPU's architected timer, in the queue of the hardware's events."""

    __slots__ = ("_handle", "_k", "_time_ns", "_timer")

    def __init__(self, k: Kernel, timer: ArchTimer) -> None:
        self._k = k
        self._timer = timer
        self._handle = 0
        self._time_ns = -1

    def set_next_event(self, time_ns: int) -> None:
        """Interrupt at this time, once."""
        if time_ns == self._time_ns and not self._timer.line:
            return
        self._k.queue.cancel(self._handle)
        self._time_ns = time_ns
        self._timer.set_compare(time_ns, self._k.now_ns)
        if time_ns > self._k.now_ns:
            self._handle = self._k.queue.schedule(time_ns, self._timer.fire)

    def shutdown(self) -> None:
        """Do not interrupt."""
        self._time_ns = -1
        self._k.queue.cancel(self._handle)
        self._timer.stop(self._k.now_ns)


def boot(spec: ScenarioSpec, board: Board, flush: Callable[[], None]) -> Kernel:
    """Boot Linux on the machine that `spec` describes; `flush` takes full batches of records."""
    k = Kernel()
    _configure(k, spec)
    k.trace_flush = flush
    k.cpus = [Cpu(number) for number in range(spec.machine.cpus)]
    k.nr_online, k.hotplug = len(k.cpus), Hotplug()
    board.probe(k, spec)
    for cpu in k.cpus:
        _boot_cpu(k, cpu, board.timer(k, cpu.number))
    init_ipis(k)
    _map_timer(k, spec.replay.is_there)
    k.worker_pools = WorkerPools(len(k.cpus), _shown_workqueues(k))
    for desc in k.irq_desc.values():
        desc.mapped_at_boot, desc.requested_at_boot = True, bool(desc.actions)
    _open_softirqs(k)
    _watch_lines(k, spec.kernel)
    if not k.nohz:
        for cpu in k.cpus:
            start_tick(k, cpu)
    return k


def object_address(k: Kernel) -> int | str:
    """What %p prints for the next object: 32 bits that tell nothing but sameness.

    Source: lib/vsprintf.c: ptr_to_hashval.
    """
    k.nr_objects += 1
    return _address(k, k.nr_objects)


def _address(k: Kernel, number: int) -> int | str:
    hashed = number * 0x9E3779B1 & 0xFFFFFFFF
    return hashed if k.arch == "arm64" else f"{hashed:08x}"


def _shown_workqueues(k: Kernel) -> dict[str, int | str]:
    if k.release.names_workqueues:
        return dict(QUEUE_NAMES)
    return {
        queue: _address(k, SYSTEM_WORKQUEUES + number) for number, queue in enumerate(QUEUE_NAMES)
    }


def _configure(k: Kernel, spec: ScenarioSpec) -> None:
    settings = spec.kernel
    k.arch = spec.machine.arch
    k.release = release_named(settings.release)
    k.cost = CostTable(spec.cost.costs, spec.run.tick)
    k.hz, k.nohz, k.rcu = settings.hz, settings.nohz, settings.rcu
    k.preemption = settings.preempt in ("full", "rt")
    # CONFIG_DEBUG_ATOMIC_SLEEP selects CONFIG_PREEMPT_COUNT.
    k.preempt_count_built = k.preemption or settings.debug_atomic_sleep
    k.next_sleep_report = 0 if settings.debug_atomic_sleep else None
    k.might_resched = settings.preempt == "voluntary"
    k.preempt_offset = PREEMPT_OFFSET if k.preempt_count_built else 0
    k.preempt_rt = settings.preempt == "rt"
    k.preempt_lazy = k.preempt_rt and k.release.rt_is_lazy
    k.atomic_mask = RT_ATOMIC_MASK if k.preempt_rt else ATOMIC_MASK
    k.nmi_chip = None
    k.take_irq = take_irq_armv8 if k.arch == "arm64" else take_irq_armv7
    k.folds_need_resched = (
        k.release.folds_need_resched and k.arch == "arm64" and not k.preempt_lazy
    )
    k.softirq_restart, k.softirq_time_ns = settings.softirq_restart, settings.softirq_time
    k.netdev_budget = settings.netdev_budget
    k.netdev_budget_usecs = settings.netdev_budget_usecs
    k.noirqdebug = settings.noirqdebug
    k.force_irqthreads = settings.threadirqs or k.preempt_rt
    k.queue = EventQueue()
    k.tick_ns = NSEC_PER_SEC // settings.hz
    k.now_ns = k.jiffies = 0
    k.tick_do_timer_cpu = -1
    k.irq_desc, k.tasks, k.next_pid = {}, [], FIRST_USER_PID
    k.nr_objects = 0
    k.irq_default_affinity = settings.irqaffinity or tuple(range(spec.machine.cpus))
    k.events = EventTable()
    # What ftrace itself writes has no switch.
    k.trace_events = [tracepoint.system == "ftrace" for tracepoint in TRACEPOINTS]
    k.call_stack = None
    log_exceptions(k, "exceptions" in spec.trace.options)
    set_tracing_on(k, True)
    k.trace_clock_ns = spec.run.clock
    k.trace_records = []
    k.recorded = None
    k.dmesg, k.console, k.said_once = [], lambda line: None, {}
    k.is_tainted = k.panicked = False
    k.softirq_events = tuple(
        tuple(k.events.intern(tracepoint, vec) for vec in range(softirq.NR_SOFTIRQS))
        for tracepoint in (SOFTIRQ_RAISE, SOFTIRQ_ENTRY, SOFTIRQ_EXIT)
    )


def _boot_cpu(k: Kernel, cpu: Cpu, timer: ArchTimer) -> None:
    number = cpu.number
    cpu.rq = RunQueue()
    cpu.hrtimers = HrTimerBase(ClockEvent(k, timer))
    cpu.timers = TimerBase()
    cpu.tick = TickSched(object_address(k), k.release.tick_function)
    cpu.softnet = SoftnetData()
    cpu.idle = idle = Task(f"swapper/{number}", 0, (number,))
    cpu.current = idle
    cpu.preempt_count = PREEMPT_OFFSET if k.preempt_count_built else 0
    idle.frames.append(Frame(cpu_idle(k, cpu), False, cpu.preempt_count))
    cpu.frames, cpu.frame = idle.frames, idle.frames[0]
    ksoftirqd_pid, stopper_pid, cpuhp_pid = _kthread_pids(k, number)
    body = softirq.run_ksoftirqd(k, cpu)
    cpu.ksoftirqd = new_task(k, f"ksoftirqd/{number}", body, (number,), ksoftirqd_pid)
    cpu.ksoftirqd.state = TASK_INTERRUPTIBLE
    cpu.ksoftirqd.is_per_cpu = True
    cpu.softirq_ctrl_lock = RtMutex(f"softirq_ctrl of CPU {number}")
    if k.preempt_rt:
        create_rt_threads(k, cpu)
    create_stopper(k, cpu, stopper_pid)
    create_cpuhp_thread(k, cpu, cpuhp_pid)


def _kthread_pids(k: Kernel, number: int) -> tuple[int, int, int]:
    """The pids of ksoftirqd, migration and cpuhp of a CPU.

    A CPU's threads are made when it is brought up, in this order: cpuhp, migration, ksoftirqd,
    and two workers; on PREEMPT_RT with three more, in an order of their own.
    """
    if k.preempt_rt:
        return _rt_kthread_pids(number)
    pids = k.release.kthread_pids
    if number == 0:
        return pids
    first = pids[2] + 1 + NR_KTHREADS * (number - 1)
    return first + 2, first + 1, first


def _rt_kthread_pids(number: int) -> tuple[int, int, int]:
    """The same on PREEMPT_RT, as 6.1 has them: there irq_work, rcuc and ktimers stand between."""
    if number == 0:
        return 14, 19, 22
    first = 23 + NR_RT_KTHREADS * (number - 1)
    return first + 5, first + 2, first


def _map_timer(k: Kernel, replays: bool) -> None:
    for timer in k.gic.map_timers(k):
        if replays:
            # The timer's interrupts are the recorded ones, of a device of the scenario.
            return
        action = IrqAction(k, timer.irq, "arch_timer", 0, 0, hrtimer_interrupt)
        refusal = manage.setup_irq(k, timer, action, is_level=True)
        assert refusal is None


def _open_softirqs(k: Kernel) -> None:
    """open_softirq() for every vector.  NET_TX, BLOCK and IRQ_POLL have nothing to do here."""
    k.softirq_vec = [no_action] * softirq.NR_SOFTIRQS
    k.softirq_vec[softirq.HI_SOFTIRQ] = softirq.tasklet_hi_action
    k.softirq_vec[softirq.TIMER_SOFTIRQ] = run_timer_softirq
    k.softirq_vec[softirq.NET_RX_SOFTIRQ] = net_rx_action
    k.softirq_vec[softirq.TASKLET_SOFTIRQ] = softirq.tasklet_action
    k.softirq_vec[softirq.SCHED_SOFTIRQ] = run_rebalance_domains
    k.softirq_vec[softirq.HRTIMER_SOFTIRQ] = hrtimer_run_softirq
    k.softirq_vec[softirq.RCU_SOFTIRQ] = rcu_core


def _watch_lines(k: Kernel, settings: KernelSpec) -> None:
    """The searches for interrupts that nobody handles, and for those that come too often."""
    timer = TimerList(
        _address(k, POLL_SPURIOUS_IRQ_TIMER),
        "poll_spurious_irqs",
        lambda k, cpu: poll_spurious_irqs(k, cpu, handle_irq_event),
    )
    irqfixup = POLL if settings.irqpoll else FIXUP if settings.irqfixup else 0
    k.resend = Resend(k)
    k.spurious = Spurious(announce(k, irqfixup, settings.preempt == "rt"), timer)
    k.storm = None
    if settings.storm_threshold is not None:
        k.storm = StormDetector(
            settings.storm_threshold,
            settings.storm_window,
            settings.storm_hold if settings.storm_action == "hold" else None,
            settings.storm_poll,
            lambda: object_address(k),
            handle_irq_event,
        )
