"""From a scenario to a machine: the hardware, the kernel, the drivers, wired together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from irqsim.boot import boot, object_address
from irqsim.engine import Engine
from irqsim.events import TASK_INTERRUPTIBLE, Record
from irqsim.hw.device import Device
from irqsim.hw.gic import Gic
from irqsim.irqchips import IRQCHIPS, GicBoard, GpioController, new_lines, reserved_irqs
from irqsim.kernel.hrtimer import HrTimer, hrtimer_mode, hrtimer_start, next_expiry
from irqsim.kernel.irq import manage
from irqsim.kernel.irq.handle import nmi_flow
from irqsim.kernel.irq.irqdesc import IrqDesc
from irqsim.kernel.irq.request import Refusal
from irqsim.kernel.load import weight_of
from irqsim.kernel.locking import Mutex, SpinLock
from irqsim.kernel.printk import KERN_WARNING, printk
from irqsim.kernel.sched import UPTIME_NS, new_task
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
from irqsim.kernel.wait import WaitQueue
from irqsim.kernel.wakeup import wake_up_from_outside
from irqsim.kernel.workqueue import Work, enqueue_work, make_workers
from irqsim.prng import stream
from irqsim.scenario.compile import compile_program
from irqsim.scenario.driver import Driver
from irqsim.scenario.functions import (
    after,
    atomic_function,
    hrtimer_function,
    task_body,
    timer_function,
    work_function,
)
from irqsim.scenario.nic import Nic
from irqsim.scenario.poller import Poller
from irqsim.scenario.program import Program, symbol_of
from irqsim.scenario.recorded_machine import RecordedMachine
from irqsim.scenario.service import Latency, Part, PartKey, is_timed, parts_of, serving
from irqsim.scenario.source import Source, arrival_cpus, arrival_times
from irqsim.scenario.spec import (
    AtSpec,
    Body,
    DeviceSpec,
    ScenarioSpec,
    TaskSpec,
)
from irqsim.units import SOFTIRQ_NAMES

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
        self.pollers: dict[str, Poller] = {}
        self._sink = sink
        self._tasklets: dict[str, Tasklet] = {}
        self._tasks: dict[str, Task] = {}
        self._timers: dict[str, TimerList] = {}
        self._hrtimers: dict[str, HrTimer] = {}
        self._sleep_timers: dict[int, TimerList] = {}
        self._locks: dict[str, SpinLock] = {}
        self._mutexes: dict[str, Mutex] = {}
        self._wait_queues: dict[str, WaitQueue] = {}
        self._works: dict[str, Work] = {}
        self._delayed: dict[str, TimerList] = {}
        self._sources: list[Source] = []
        self._times_to_come = [*(at.time for at in spec.ats), *(each.start for each in spec.tasks)]
        self.nics: dict[str, Nic] = {}
        self.latencies: dict[str, Latency] = {
            device.name: Latency(device.name, device.deadline, device.on_miss)
            for device in spec.devices
            if device.deadline is not None
        }
        self._parts = parts_of(spec)
        self.board = IRQCHIPS[spec.machine.irqchip](spec)
        self.kernel = boot(spec, self.board, self.flush)
        self.kernel.is_at_rest = self._is_at_rest
        self.recording = RecordedMachine(self.kernel, spec)
        if operator is not None:
            # Before all else, so that at any instant the operator comes first.
            for at in spec.ats:
                self.kernel.queue.schedule(at.time, partial(operator, at))
        self.engine = Engine(self.kernel, self.board.irq, self.board.nmi, self.board.changed)
        self.gpios = {
            gpio.name: GpioController(self.kernel, self.board, gpio, reserved_irqs(spec))
            for gpio in spec.gpios
        }
        for number, device in enumerate(spec.devices):
            if device.poll is None:
                self.drivers[device.name] = self._build_driver(number, device)
            else:
                self.pollers[device.name] = self._build_poller(device)
        self._build_nics()
        self._build_softirqs()
        self._build_timers()
        self._build_works()
        self._build_tasks()
        self.recording.build(self, spec, self._tasks)
        for driver in self.drivers.values():
            driver.compile(self, spec.run.seed)
            if driver.spec.probe:
                refusal = self._setup(driver)
                assert refusal is None, refusal
        for poller in self.pollers.values():
            poller.start(self, self.kernel, spec.run.seed)
        self._serve_softirqs()
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
                lambda k, cpu: enqueue_work(k, cpu, work),
            )
        return timer

    def lock(self, name: str) -> SpinLock:
        """The spin lock of that name: the first use makes it."""
        return self._locks.setdefault(name, SpinLock(name, self._locks))

    def mutex(self, name: str) -> Mutex:
        """The mutex of that name: the first use makes it."""
        return self._mutexes.setdefault(name, Mutex(name, self._mutexes))

    def wait_queue(self, name: str) -> WaitQueue:
        """The wait queue of that name: the first use makes it."""
        return self._wait_queues.setdefault(name, WaitQueue())

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

    def part(self, key: PartKey) -> Part | None:
        """The part of a function, if services that are timed may be in it."""
        return self._parts.get(key)

    @property
    def gic(self) -> Gic:
        """The root controller of a machine that has a GIC."""
        assert isinstance(self.board, GicBoard)
        return self.board.gic

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
        if spec.gpio is not None:
            controller = self.gpios[spec.gpio[0]]
            desc, wires = controller.line(spec.gpio[1], spec.irq)
        else:
            desc, wires = self.board.line(k, spec)
        lines = next(
            (driver.device.lines for driver in self.drivers.values() if driver.desc is desc), None
        )
        if lines is None:
            desc.affinity = spec.affinity or k.irq_default_affinity
            desc.affinity_set = spec.affinity is not None
            lines = new_lines(wires, desc, spec.affinity or tuple(range(len(k.cpus))), spec.trigger)
        driver = Driver(spec, number, Device(spec.name, lines), desc)
        for controller in self.gpios.values():
            if controller.spec.device == spec.name:
                driver.expander = controller
                controller.attach(driver.device)
        if is_timed(self.spec, spec):
            driver.keep_time(self.latencies[spec.name])
        return driver

    def _build_poller(self, spec: DeviceSpec) -> Poller:
        device = Device(spec.name, [])
        latency = self.latencies[spec.name] if is_timed(self.spec, spec) else None
        if latency is not None:
            device.keep_times()
        return Poller(spec, device, object_address(self.kernel), latency)

    def device(self, name: str) -> Device:
        """The device of that name."""
        if name in self.pollers:
            return self.pollers[name].device
        return self.drivers[name].device

    def _build_softirqs(self) -> None:
        k = self.kernel
        programs: list[tuple[Program, Body]] = []
        for each in self.spec.tasklets:
            program = self._program(f"tasklet.{each.name}", symbol_of(each.name))
            programs.append((program, each.run))
            program.part = self._parts.get(("tasklet", each.name))
            function = serving(program.part, atomic_function(program), _same_cpu)
            self._tasklets[each.name] = Tasklet(
                k, each.name, program.symbol, function, each.disabled
            )
        for spec in self.spec.softirqs:
            vec = SOFTIRQ_NAMES.index(spec.name)
            program = self._program(f"softirq.{spec.name}", f"{spec.name.lower()}_action")
            program.vec = vec
            programs.append((program, spec.run))
            program.part = self._parts.get(("softirq", spec.name))
            k.softirq_vec[vec] = after(k.softirq_vec[vec], program)
        # Compiled last: steps name tasklets that stand further down in the file.
        for program, body in programs:
            compile_program(program, body)

    def _build_nics(self) -> None:
        for spec in self.spec.napis:
            self.nics[spec.name] = Nic(
                spec,
                self.device(spec.device),
                object_address(self.kernel),
                stream(self.spec.run.seed, f"napi.{spec.name}"),
                self.tick_ns,
            )
            self.nics[spec.name].latency = self.latencies.get(spec.device)

    def _build_works(self) -> None:
        k = self.kernel
        for spec in self.spec.works:
            program = self._program(f"work.{spec.name}", symbol_of(spec.name))
            program.part = self._parts.get(("work", spec.name))
            compile_program(program, spec.run)
            function = serving(program.part, work_function(program), _cpu_of_task)
            self._works[spec.name] = Work(object_address(k), program.symbol, function, spec.queue)
        if self.spec.works:
            make_workers(k)

    def _build_timers(self) -> None:
        k = self.kernel
        for spec in self.spec.timers:
            program = self._program(f"timer.{spec.name}", symbol_of(spec.name))
            compile_program(program, spec.run)
            function = timer_function(program, self._timers, spec)
            timer = TimerList(object_address(k), program.symbol, function)
            self._timers[spec.name] = timer
            first = spec.period if spec.expires is None else spec.expires
            if first is not None:
                cpu = k.cpus[spec.cpu]
                mod_timer(k, cpu, timer, nsecs_to_jiffies_up(k, first), cpu)
        for each in self.spec.hrtimers:
            program = self._program(f"hrtimer.{each.name}", symbol_of(each.name))
            compile_program(program, each.run)
            soft, mode = hrtimer_mode(k, each.mode)
            hrtimer = HrTimer(
                object_address(k), program.symbol, hrtimer_function(program, each), mode, soft
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
            program = self._program(f"task.{spec.name}", symbol_of(spec.name), spec.runs_user_code)
            program.task = spec.name
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
        body = task_body(k, holder, program, spec.loop)
        task = new_task(k, spec.comm or spec.name, body, allowed, spec.pid)
        holder.append(task)
        task.state = TASK_INTERRUPTIBLE if spec.asleep else TASK_NEW
        task.has_mm = spec.mode == "user"
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
        if driver.spec.nmi:
            manage.request_nmi(self.kernel, driver.desc, action, is_level, nmi_flow(driver.desc))
            driver.action = action
            return None
        has_handler = driver.spec.handler is not None or driver.spec.thread is None
        refusal = manage.setup_irq(self.kernel, driver.desc, action, is_level, has_handler)
        if refusal is None:
            driver.action = action
        return refusal

    def _serve_softirqs(self) -> None:
        """Put the parts of softirq vectors around them, their built-in duty included."""
        for (kind, name), part in self._parts.items():
            if kind == "softirq":
                vec = SOFTIRQ_NAMES.index(name)
                action = self.kernel.softirq_vec[vec]
                self.kernel.softirq_vec[vec] = serving(part, action, _same_cpu)

    def _schedule_arrivals(self) -> None:
        for spec in self.spec.devices:
            if spec.arrivals is not None:
                times = arrival_times(spec, self.spec.run)
                device = self.device(spec.name)
                nics = [nic for nic in self.nics.values() if nic.device is device]
                source = Source(self.kernel.queue, device, nics, times, arrival_cpus(spec))
                self._sources.append(source)
                source.schedule_next()

    def _is_at_rest(self) -> bool:
        """Whether nothing is left to happen but what the caller would do, on its idle CPU."""
        k, spec = self.kernel, self.spec
        if spec.run.duration is not None or any(not source.is_over for source in self._sources):
            return False
        if any(when > k.now_ns for when in self._times_to_come):
            return False
        return all(
            cpu.current is cpu.idle
            and not cpu.wake_list
            and not cpu.timers.pending
            and next_expiry(cpu, without=cpu.tick.timer) is None
            for cpu in k.cpus
        )


def _same_cpu(k: Kernel, cpu: Cpu) -> Cpu:
    return cpu


def _cpu_of_task(k: Kernel, task: Task) -> Cpu:
    return k.cpus[task.cpu]
