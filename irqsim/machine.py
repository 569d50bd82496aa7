"""From a scenario to a machine: the hardware, the kernel, the drivers, wired together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from irqsim.boot import boot, object_address
from irqsim.clock import EventQueue
from irqsim.engine import Engine
from irqsim.events import (
    HRTIMER_MODE_HARD,
    HRTIMER_MODE_REL,
    HRTIMER_MODE_SOFT,
    Record,
)
from irqsim.hw import arrival
from irqsim.hw.device import Device, Line
from irqsim.hw.gic import Gic
from irqsim.kernel import softirq
from irqsim.kernel.entry import interrupt
from irqsim.kernel.fair import weight_of
from irqsim.kernel.hrtimer import (
    HRTIMER_NORESTART,
    HRTIMER_RESTART,
    HrTimer,
    TimerPath,
    hrtimer_start,
)
from irqsim.kernel.idle import do_exit
from irqsim.kernel.irq import manage
from irqsim.kernel.irq.handle import handle_fasteoi_irq, handle_percpu_devid_irq
from irqsim.kernel.irq.irqdesc import IrqDesc
from irqsim.kernel.irq.request import Refusal
from irqsim.kernel.locking import SpinLock
from irqsim.kernel.printk import KERN_EMERG, KERN_WARNING, printk
from irqsim.kernel.sched import UPTIME_NS, new_task, start_task, wake_up_from_outside
from irqsim.kernel.softirq import Tasklet
from irqsim.kernel.state import (
    SCHED_FIFO,
    SCHED_IDLE,
    SCHED_NORMAL,
    SCHED_RR,
    TASK_NEW,
    Cpu,
    Kernel,
    Path,
    Task,
)
from irqsim.kernel.timer import TimerList, mod_timer, nsecs_to_jiffies_up, process_timeout
from irqsim.kernel.workqueue import Work, make_workers, queue_work
from irqsim.prng import stream
from irqsim.scenario.compile import compile_program
from irqsim.scenario.driver import Driver
from irqsim.scenario.nic import Nic
from irqsim.scenario.program import Program, return_to_user, run_atomic, run_task, symbol_of
from irqsim.scenario.spec import (
    Arrivals,
    AtSpec,
    Body,
    Bursts,
    DeviceSpec,
    HrtimerSpec,
    Listed,
    Periodic,
    ScenarioSpec,
    TaskSpec,
    TimerSpec,
)
from irqsim.units import SOFTIRQ_NAMES

NR_SPIS: Final = 988
FIRST_SPI: Final = 32
FIRST_PPI: Final = 16

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
        self._timers: dict[str, TimerList] = {}
        self._hrtimers: dict[str, HrTimer] = {}
        self._sleep_timers: dict[int, TimerList] = {}
        self._locks: dict[str, SpinLock] = {}
        self._works: dict[str, Work] = {}
        self._delayed: dict[str, TimerList] = {}
        self.nics: dict[str, Nic] = {}
        self.gic = Gic(
            2 if spec.machine.irqchip == "gic-v2" else 3,
            spec.machine.cpus,
            NR_SPIS,
            spec.machine.priority_bits,
        )
        self.kernel = boot(spec, self.gic, self.flush)
        if operator is not None:
            # Before all else, so that at any instant the operator comes first.
            for at in spec.ats:
                self.kernel.queue.schedule(at.time, partial(operator, at))
        self.engine = Engine(self.kernel, self.gic.irq, self.gic.changed, interrupt)
        for number, device in enumerate(spec.devices):
            self.drivers[device.name] = self._build_driver(number, device)
        self._build_nics()
        self._build_softirqs()
        self._build_timers()
        self._build_works()
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

    def timer(self, name: str) -> TimerList:
        """The timer of that name."""
        return self._timers[name]

    def hrtimer(self, name: str) -> HrTimer:
        """The hrtimer of that name."""
        return self._hrtimers[name]

    def napi_schedule(self, k: Kernel, cpu: Cpu, name: str) -> Path:
        """Mask the device of a NAPI instance and have it polled."""
        yield from self.nics[name].schedule(k, cpu)

    def work(self, name: str) -> Work:
        """The work of that name."""
        return self._works[name]

    def delayed_work_timer(self, name: str) -> TimerList:
        """The timer that queues the work of that name: the first use makes it."""
        timer = self._delayed.get(name)
        if timer is None:
            work = self._works[name]
            timer = self._delayed[name] = TimerList(
                object_address(self.kernel),
                "delayed_work_timer_fn",
                lambda k, cpu: queue_work(k, cpu, work),
            )
        return timer

    def lock(self, name: str) -> SpinLock:
        """The spin lock of that name: the first use makes it."""
        return self._locks.setdefault(name, SpinLock(name))

    def sleep_timer(self, task: Task) -> TimerList:
        """The timer that ends a sleep of this task."""
        timer = self._sleep_timers.get(task.pid)
        if timer is None:
            address = object_address(self.kernel)
            timer = TimerList(address, "process_timeout", process_timeout(task))
            self._sleep_timers[task.pid] = timer
        return timer

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
            compile_program(program, body)

    def _build_nics(self) -> None:
        for spec in self.spec.napis:
            self.nics[spec.name] = Nic(
                spec,
                self.drivers[spec.device].device,
                object_address(self.kernel),
                stream(self.spec.run.seed, f"napi.{spec.name}"),
                self.tick_ns,
            )

    def _build_works(self) -> None:
        k = self.kernel
        for spec in self.spec.works:
            program = self._program(f"work.{spec.name}", symbol_of(spec.name))
            compile_program(program, spec.run)
            self._works[spec.name] = Work(
                object_address(k), program.symbol, _work_function(program), spec.queue
            )
        if self.spec.works:
            make_workers(k)

    def _build_timers(self) -> None:
        k = self.kernel
        for spec in self.spec.timers:
            program = self._program(f"timer.{spec.name}", symbol_of(spec.name))
            compile_program(program, spec.run)
            function = _periodic_timer(program, self._timers, spec)
            timer = TimerList(object_address(k), program.symbol, function)
            self._timers[spec.name] = timer
            first = spec.period if spec.expires is None else spec.expires
            if first is not None:
                cpu = k.cpus[spec.cpu]
                mod_timer(k, cpu, timer, nsecs_to_jiffies_up(k, first), cpu)
        for each in self.spec.hrtimers:
            program = self._program(f"hrtimer.{each.name}", symbol_of(each.name))
            compile_program(program, each.run)
            soft = each.mode == "soft"
            mode = HRTIMER_MODE_REL | (HRTIMER_MODE_SOFT if soft else HRTIMER_MODE_HARD)
            hrtimer = HrTimer(
                object_address(k), program.symbol, _hrtimer_function(program, each), mode, soft
            )
            self._hrtimers[each.name] = hrtimer
            first = each.period if each.expires is None else each.expires
            if first is not None:
                cpu = k.cpus[each.cpu]
                hrtimer_start(k, cpu, hrtimer, first, cpu)

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
            compile_program(program, spec.run)

    def _build_task(self, spec: TaskSpec, program: Program) -> Task:
        k = self.kernel
        allowed = spec.affinity or tuple(range(len(k.cpus)))
        if spec.cpu is not None:
            allowed = (spec.cpu,)
        holder: list[Task] = []
        task = new_task(k, spec.name, _task_body(k, holder, program, spec.loop), allowed, spec.pid)
        holder.append(task)
        task.state = TASK_NEW
        task.policy, task.nice = POLICIES[spec.policy], spec.nice
        task.prio = 99 - spec.priority if spec.policy in ("fifo", "rr") else 120 + spec.nice
        task.weight = weight_of(task.policy, task.nice)
        # New, unlike the kernel's threads: it has no sleep to be compensated for.
        task.vruntime_ns = UPTIME_NS
        k.queue.schedule(spec.start, lambda now_ns: self._start_task(task))
        return task

    def _start_task(self, task: Task) -> None:
        if task.state == TASK_NEW:
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
                nics = [nic for nic in self.nics.values() if nic.device is driver.device]
                _Source(self.kernel.queue, driver.device, nics, times).schedule_next()

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

    __slots__ = ("_device", "_nics", "_queue", "_times")

    def __init__(
        self, queue: EventQueue, device: Device, nics: list[Nic], times: Iterator[int]
    ) -> None:
        self._queue = queue
        self._device = device
        self._nics = nics
        self._times = times

    def schedule_next(self) -> None:
        for time_ns in self._times:
            self._queue.schedule(time_ns, self._arrive)
            return

    def _arrive(self, now_ns: int) -> None:
        for nic in self._nics:
            nic.arrive()
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
    yield from return_to_user(k, task)
    task.in_user = False
    yield k.cost.syscall
    yield from do_exit(k, task)


def _work_function(program: Program) -> Callable[[Kernel, Task], Path]:
    """A work's function, in the worker that takes it."""

    def path(k: Kernel, task: Task) -> Path:
        yield from run_task(k, task, program, program.ops)

    return path


def _periodic_timer(
    program: Program, timers: dict[str, TimerList], spec: TimerSpec
) -> Callable[[Kernel, Cpu], Path]:
    """A timer's function: one with a period arms itself again before it does its work."""

    def path(k: Kernel, cpu: Cpu) -> Path:
        if spec.period is not None:
            expires = k.jiffies + nsecs_to_jiffies_up(k, spec.period)
            mod_timer(k, cpu, timers[spec.name], expires, cpu)
        yield from run_atomic(k, cpu, program, program.ops)

    return path


def _hrtimer_function(
    program: Program, spec: HrtimerSpec
) -> Callable[[Kernel, Cpu, HrTimer], TimerPath]:
    """An hrtimer's function: one with a period is moved on by whole periods.

    Source: kernel/time/hrtimer.c: hrtimer_forward.
    """

    def path(k: Kernel, cpu: Cpu, timer: HrTimer) -> TimerPath:
        yield from run_atomic(k, cpu, program, program.ops)
        if spec.period is None:
            return HRTIMER_NORESTART
        periods = (k.now_ns - timer.expires_ns) // spec.period + 1
        timer.expires_ns += periods * spec.period
        return HRTIMER_RESTART

    return path
