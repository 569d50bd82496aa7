"""From a scenario to a machine: the hardware, the kernel, the drivers, wired together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from irqsim.clock import EventQueue
from irqsim.engine import Engine
from irqsim.events import (
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    SOFTIRQ_RAISE,
    TASK_INTERRUPTIBLE,
    TRACEPOINTS,
    EventTable,
    Record,
)
from irqsim.hw import arrival
from irqsim.hw.device import Device, Line
from irqsim.hw.gic import Gic
from irqsim.hw.timer import ArchTimer
from irqsim.kernel import softirq
from irqsim.kernel.costs import CostTable
from irqsim.kernel.entry import interrupt
from irqsim.kernel.fair import initial_lag, weight_of
from irqsim.kernel.idle import cpu_idle, do_exit
from irqsim.kernel.irq import manage
from irqsim.kernel.irq.chip import GicChip
from irqsim.kernel.irq.handle import handle_fasteoi_irq, handle_percpu_devid_irq
from irqsim.kernel.irq.ipi import init_ipis
from irqsim.kernel.irq.irqdesc import IrqAction, IrqDesc
from irqsim.kernel.irq.irqdomain import TIMER_PPIS, VIRTUAL_TIMER, IrqDomain
from irqsim.kernel.irq.request import Refusal
from irqsim.kernel.preempt import PREEMPT_OFFSET
from irqsim.kernel.printk import KERN_EMERG, KERN_WARNING, printk
from irqsim.kernel.release import release_named
from irqsim.kernel.sched import RunQueue, new_task, start_task, wake_up_from_outside
from irqsim.kernel.softirq import Tasklet
from irqsim.kernel.state import (
    SCHED_FIFO,
    SCHED_IDLE,
    SCHED_NORMAL,
    SCHED_RR,
    Cpu,
    Frame,
    Kernel,
    Path,
    Task,
)
from irqsim.kernel.tick import TickDevice, arch_timer_handler, start_tick
from irqsim.kernel.trace import set_tracing_on
from irqsim.prng import stream
from irqsim.scenario.driver import Driver
from irqsim.scenario.program import Program, run_atomic, run_task, symbol_of
from irqsim.scenario.spec import (
    Arrivals,
    AtSpec,
    Body,
    Bursts,
    DeviceSpec,
    Listed,
    Periodic,
    ScenarioSpec,
    TaskSpec,
)
from irqsim.units import SOFTIRQ_NAMES

NR_SPIS: Final = 988
FIRST_SPI: Final = 32
FIRST_PPI: Final = 16
NSEC_PER_SEC: Final = 1_000_000_000
FIRST_USER_PID: Final = 100

Sink = Callable[[list[Record]], None]
"""Takes the records of a run in batches, in order of time and CPU."""

Operator = Callable[[AtSpec, int], None]
"""Does what a `[[at]]` says: called with it, and with the time."""

POLICIES: Final[dict[str, int]] = {
    "other": SCHED_NORMAL,
    "fifo": SCHED_FIFO,
    "rr": SCHED_RR,
    "idle": SCHED_IDLE,
}


class ClockEvent:
    """A CPU's architected timer, in the queue of the hardware's events."""

    __slots__ = ("_handle", "_k", "_timer")

    def __init__(self, k: Kernel, timer: ArchTimer) -> None:
        self._k = k
        self._timer = timer
        self._handle = 0

    def set_next_event(self, time_ns: int) -> None:
        """Interrupt at this time, once."""
        self._k.queue.cancel(self._handle)
        self._timer.set_compare(time_ns, self._k.now_ns)
        self._handle = self._k.queue.schedule(time_ns, self._timer.fire)

    def shutdown(self) -> None:
        """Do not interrupt."""
        self._k.queue.cancel(self._handle)
        self._timer.stop(self._k.now_ns)


class Machine:
    """A simulated machine, ready to run once."""

    def __init__(self, spec: ScenarioSpec, sink: Sink, operator: Operator | None = None) -> None:
        """`operator` is called for each `[[at]]` at its time."""
        self.spec = spec
        self.tick_ns = spec.run.tick
        self.drivers: dict[str, Driver] = {}
        self.panicked = False
        self._sink = sink
        self._tasklets: dict[str, Tasklet] = {}
        self._tasks: dict[str, Task] = {}
        self.gic = Gic(
            2 if spec.machine.irqchip == "gic-v2" else 3,
            spec.machine.cpus,
            NR_SPIS,
            spec.machine.priority_bits,
        )
        self.kernel = self._build_kernel()
        if operator is not None:
            # Before all else, so that at any instant the operator comes first.
            for at in spec.ats:
                self.kernel.queue.schedule(at.time, partial(operator, at))
        self.engine = Engine(self.kernel, self.gic.irq, self.gic.changed, interrupt)
        self._build_lines()
        self._build_softirqs()
        self._build_tasks()
        for driver in self.drivers.values():
            driver.compile(self, spec.run.seed)
            if driver.spec.probe:
                refusal = self._setup(driver)
                assert refusal is None, refusal
        self._schedule_arrivals()

    # -- what the steps of a program ask ---------------------------------------------------

    def tasklet(self, name: str) -> Tasklet:
        """The tasklet of that name."""
        return self._tasklets[name]

    def task(self, name: str) -> Task:
        """The task of that name."""
        return self._tasks[name]

    def line_of(self, device: str) -> IrqDesc:
        """The line of the device of that name."""
        return self.drivers[device].desc

    def request_irq(self, device: str) -> Path:
        """Request a line for its driver; what the kernel refuses is in its log."""
        driver = self.drivers[device]
        yield self.kernel.cost.irq_manage
        refusal = self._setup(driver)
        if refusal is not None:
            printk(self.kernel, KERN_WARNING, f"{device}: request_irq() returned -{refusal}")

    def free_irq(self, cpu: Cpu, device: str) -> Path:
        """Give a line back."""
        driver = self.drivers[device]
        yield self.kernel.cost.irq_manage
        yield from manage.free_irq(self.kernel, cpu, driver.desc, driver.number)
        driver.action = None

    def panic(self, words: str) -> None:
        """Note that the machine panics; the engine stops at the next yield."""
        self.panicked = True
        printk(self.kernel, KERN_EMERG, f"Kernel panic - not syncing: {words}")

    # -- running -----------------------------------------------------------------------------

    def run(self, end_ns: int | None = None) -> None:
        """Run to the end of the scenario, or up to `end_ns`; may be called again to go on."""
        self.engine.run(self.spec.run.duration if end_ns is None else end_ns)
        self.flush()

    def flush(self) -> None:
        """Hand on the records that are waiting."""
        k = self.kernel
        if k.trace_records:
            records = k.trace_records[:]
            k.trace_records.clear()
            self._sink(records)

    # -- building ----------------------------------------------------------------------------

    def _build_kernel(self) -> Kernel:
        spec, k = self.spec, Kernel()
        settings = spec.kernel
        k.arch = spec.machine.arch
        k.release = release_named(settings.release)
        k.cost = CostTable(spec.cost.costs, spec.run.tick)
        k.hz, k.nohz, k.rcu = settings.hz, settings.nohz, settings.rcu
        k.preemption = k.preempt_count_built = settings.preempt in ("full", "rt")
        k.folds_need_resched = k.release.folds_need_resched and k.arch == "arm64"
        k.softirq_restart, k.softirq_time_ns = settings.softirq_restart, settings.softirq_time
        k.noirqdebug = settings.noirqdebug
        k.queue = EventQueue()
        k.tick_ns = NSEC_PER_SEC // settings.hz
        k.now_ns = k.jiffies = 0
        k.tick_do_timer_cpu = -1
        k.irq_desc, k.tasks, k.next_pid = {}, [], FIRST_USER_PID
        k.irq_default_affinity = settings.irqaffinity or tuple(range(spec.machine.cpus))
        k.events = EventTable()
        # What ftrace itself writes has no switch.
        k.trace_events = [tracepoint.system == "ftrace" for tracepoint in TRACEPOINTS]
        set_tracing_on(k, True)
        k.trace_clock_ns = spec.run.clock
        k.trace_records, k.trace_flush = [], self.flush
        k.dmesg, k.console = [], lambda line: None
        k.softirq_events = tuple(
            tuple(k.events.intern(tracepoint, vec) for vec in range(softirq.NR_SOFTIRQS))
            for tracepoint in (SOFTIRQ_RAISE, SOFTIRQ_ENTRY, SOFTIRQ_EXIT)
        )
        k.cpus = [Cpu(number) for number in range(spec.machine.cpus)]
        k.gic = GicChip(self.gic, len(k.cpus), k.release.gicv3_loops)
        reserved = tuple(device.irq for device in spec.devices if device.irq is not None)
        k.domain = IrqDomain(k.arch, len(k.cpus), reserved)
        for cpu in k.cpus:
            self._build_cpu(k, cpu)
        init_ipis(k)
        return k

    def _build_cpu(self, k: Kernel, cpu: Cpu) -> None:
        number = cpu.number
        cpu.rq = RunQueue()
        cpu.tick = TickDevice(ClockEvent(k, ArchTimer(self.gic, VIRTUAL_TIMER, number)))
        cpu.idle = idle = Task(f"swapper/{number}", 0, (number,))
        cpu.current = idle
        cpu.preempt_count = PREEMPT_OFFSET if k.preempt_count_built else 0
        idle.frames.append(Frame(cpu_idle(k, cpu), False, cpu.preempt_count))
        cpu.frames, cpu.frame = idle.frames, idle.frames[0]
        pid = 13 if number == 0 else 16 + 5 * number
        cpu.ksoftirqd = new_task(
            k, f"ksoftirqd/{number}", softirq.run_ksoftirqd(k, cpu), (number,), pid
        )
        cpu.ksoftirqd.state = TASK_INTERRUPTIBLE
        cpu.ksoftirqd.vlag_ns = initial_lag(k)

    def _build_lines(self) -> None:
        k = self.kernel
        for ppi in TIMER_PPIS:
            k.domain.create_mapping(k, ppi, k.gic, handle_percpu_devid_irq, percpu=True)
        timer = k.domain.descs[VIRTUAL_TIMER]
        action = IrqAction(k, timer.irq, "arch_timer", 0, 0, arch_timer_handler)
        refusal = manage.setup_irq(k, timer, action, is_level=True)
        assert refusal is None
        for number, device in enumerate(self.spec.devices):
            self.drivers[device.name] = self._build_driver(number, device)
        if not k.nohz:
            for cpu in k.cpus:
                start_tick(k, cpu)

    def _build_driver(self, number: int, spec: DeviceSpec) -> Driver:
        k = self.kernel
        percpu = spec.ppi is not None
        hwirq = FIRST_PPI + spec.ppi if spec.ppi is not None else FIRST_SPI + (spec.spi or 0)
        flow = handle_percpu_devid_irq if percpu else handle_fasteoi_irq
        is_new = hwirq not in k.domain.descs
        desc = k.domain.create_mapping(k, hwirq, k.gic, flow, percpu, spec.irq)
        if is_new and not percpu:
            k.gic.init_spi(desc)
        k.gic.set_priority(desc, spec.priority)
        everywhere = tuple(range(len(k.cpus)))
        if is_new:
            desc.affinity = spec.affinity or k.irq_default_affinity
            desc.affinity_set = spec.affinity is not None
        edge = spec.trigger == "edge"
        existing = next(
            (driver.device.lines for driver in self.drivers.values() if driver.desc is desc), None
        )
        if existing is None:
            pes = (spec.affinity or everywhere) if percpu else (0,)
            existing = [Line(self.gic, hwirq, pe, edge) for pe in pes]
        return Driver(spec, number, Device(spec.name, existing), desc)

    def _build_softirqs(self) -> None:
        k = self.kernel
        k.softirq_vec = [softirq.no_action] * softirq.NR_SOFTIRQS
        k.softirq_vec[softirq.HI_SOFTIRQ] = softirq.tasklet_hi_action
        k.softirq_vec[softirq.TASKLET_SOFTIRQ] = softirq.tasklet_action
        k.softirq_vec[softirq.TIMER_SOFTIRQ] = softirq.run_timer_softirq
        k.softirq_vec[softirq.SCHED_SOFTIRQ] = softirq.run_rebalance_domains
        k.softirq_vec[softirq.RCU_SOFTIRQ] = softirq.rcu_core
        programs: list[tuple[Program, Body]] = []
        for each in self.spec.tasklets:
            program = self._program(f"tasklet.{each.name}", symbol_of(each.name))
            programs.append((program, each.run))
            self._tasklets[each.name] = Tasklet(
                k, each.name, program.symbol, _atomic(program), each.disabled
            )
        for spec in self.spec.softirqs:
            vec = SOFTIRQ_NAMES.index(spec.name)
            program = self._program(f"softirq.{spec.name}", f"{spec.name.lower()}_action")
            programs.append((program, spec.run))
            k.softirq_vec[vec] = _after(k.softirq_vec[vec], _atomic(program))
        # Compiled last: steps name tasklets that stand further down in the file.
        for program, body in programs:
            program.compile(body)

    def _program(self, key: str, symbol: str, is_user: bool = False) -> Program:
        return Program(self, symbol, stream(self.spec.run.seed, key), is_user=is_user)

    def _build_tasks(self) -> None:
        # The names first: a task's steps may wake one that stands further down.
        programs = []
        for spec in self.spec.tasks:
            program = self._program(f"task.{spec.name}", symbol_of(spec.name), spec.mode == "user")
            self._tasks[spec.name] = self._build_task(spec, program)
            programs.append(program)
        for spec, program in zip(self.spec.tasks, programs, strict=True):
            program.compile(spec.run)

    def _build_task(self, spec: TaskSpec, program: Program) -> Task:
        k = self.kernel
        allowed = spec.affinity or tuple(range(len(k.cpus)))
        if spec.cpu is not None:
            allowed = (spec.cpu,)
        holder: list[Task] = []
        task = new_task(k, spec.name, _task_body(k, holder, program, spec.loop), allowed, spec.pid)
        holder.append(task)
        task.state = TASK_INTERRUPTIBLE
        task.policy, task.nice = POLICIES[spec.policy], spec.nice
        task.prio = 99 - spec.priority if spec.policy in ("fifo", "rr") else 120 + spec.nice
        task.weight = weight_of(task.policy, task.nice)
        k.queue.schedule(spec.start, lambda now_ns: self._start_task(task))
        return task

    def _start_task(self, task: Task) -> None:
        if task.state == TASK_INTERRUPTIBLE:
            wake_up_from_outside(self.kernel, task)

    def _setup(self, driver: Driver) -> Refusal | None:
        action = driver.new_action(self.kernel)
        is_level = driver.spec.trigger == "level"
        has_handler = driver.spec.handler is not None or driver.spec.thread is None
        refusal = manage.setup_irq(self.kernel, driver.desc, action, is_level, has_handler)
        if refusal is None:
            driver.action = action
        return refusal

    def _schedule_arrivals(self) -> None:
        for driver in self.drivers.values():
            if driver.spec.arrivals is not None:
                times = self._times(driver.spec.name, driver.spec.arrivals)
                _Source(self.kernel.queue, driver.device, times).schedule_next()

    def _times(self, name: str, arrivals: Arrivals) -> Iterator[int]:
        draws = stream(self.spec.run.seed, f"device.{name}.arrivals")
        tick = self.tick_ns
        if isinstance(arrivals, Listed):
            return arrival.listed(arrivals.times)
        start, until, count = arrivals.start, arrivals.until, arrivals.count
        if isinstance(arrivals, Periodic):
            every, jitter = arrivals.every, arrivals.jitter
            return arrival.periodic(every, start, until, count, jitter, draws, tick)
        if isinstance(arrivals, Bursts):
            return arrival.bursts(
                arrivals.burst, arrivals.gap, arrivals.every, start, until, count
            )
        return arrival.poisson(arrivals.poisson, start, until, count, draws, tick)


class _Source:
    """The arrivals of one device, one at a time in the event queue."""

    __slots__ = ("_device", "_queue", "_times")

    def __init__(self, queue: EventQueue, device: Device, times: Iterator[int]) -> None:
        self._queue = queue
        self._device = device
        self._times = times

    def schedule_next(self) -> None:
        for time_ns in self._times:
            self._queue.schedule(time_ns, self._arrive)
            return

    def _arrive(self, now_ns: int) -> None:
        self._device.arrive(now_ns)
        self.schedule_next()


def _atomic(program: Program) -> Callable[[Kernel, Cpu], Path]:
    """A program as a softirq's or tasklet's function."""

    def path(k: Kernel, cpu: Cpu) -> Path:
        if program.ops:
            yield from run_atomic(k, cpu, program, program.ops)

    return path


def _after(
    first: Callable[[Kernel, Cpu], Path], second: Callable[[Kernel, Cpu], Path]
) -> Callable[[Kernel, Cpu], Path]:
    """A vector's built-in duty, then what the scenario adds to it."""
    if first is softirq.no_action:
        return second

    def path(k: Kernel, cpu: Cpu) -> Path:
        yield from first(k, cpu)
        yield from second(k, cpu)

    return path


def _task_body(k: Kernel, holder: list[Task], program: Program, loop: bool) -> Path:
    """The code of a task, from its first switch to its last."""
    task = holder[0]
    yield from start_task(k, task)
    while True:
        yield from run_task(k, task, program, program.ops)
        if not loop:
            break
    if task.in_user:
        task.in_user = False
        yield k.cost.syscall
    yield from do_exit(k, task)
