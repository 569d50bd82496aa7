"""A driver: the device that it serves, its handler, and its place on an interrupt line.

A handler runs its steps whether or not its own device wanted service, as a driver on a shared
line does; what it returns by itself says whether it did.
"""

from __future__ import annotations

from typing import Protocol

from irqsim.hw.device import Device
from irqsim.kernel.irq.irqdesc import IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD, IrqAction, IrqDesc
from irqsim.kernel.irq.settings import irqf_value
from irqsim.kernel.irq.thread import irq_default_primary_handler
from irqsim.kernel.state import Cpu, HandlerPath, Kernel, Path, Task
from irqsim.prng import stream
from irqsim.scenario.compile import compile_program
from irqsim.scenario.program import NO_RESULT, Machine, Program, run_atomic, run_task, symbol_of
from irqsim.scenario.service import Latency, Part, Service
from irqsim.scenario.spec import DeviceSpec


class Expander(Protocol):
    """A GPIO controller whose lines are served in the thread of a device."""

    def read_status(self) -> None:
        """Note which lines are pending."""

    def serve(self, k: Kernel, task: Task) -> Path:
        """Serve those that were noted."""


class Driver:
    """What one `[[device]]` becomes."""

    __slots__ = (
        "action",
        "desc",
        "device",
        "expander",
        "latency",
        "number",
        "part",
        "program",
        "spec",
        "thread_part",
        "thread_program",
    )

    # Fixed when the machine is built.
    spec: DeviceSpec
    number: int
    """Its place in the scenario: tells the actions of a shared line apart (dev_id)."""
    device: Device
    desc: IrqDesc
    expander: Expander | None
    """The controller that the device is, if its lines are served in the device's thread."""
    program: Program
    thread_program: Program
    latency: Latency | None
    """What becomes of its deadline; None where it has none, or its packets have."""
    part: Part | None
    """The handler's part of a service that is timed, and the thread's."""
    thread_part: Part | None

    # The machine's.
    action: IrqAction | None
    """What request_irq() installed; None while the line is not requested."""

    def __init__(self, spec: DeviceSpec, number: int, device: Device, desc: IrqDesc) -> None:
        self.spec = spec
        self.number = number
        self.device = device
        self.desc = desc
        self.action = None
        self.expander = None
        self.latency = self.part = self.thread_part = None

    def keep_time(self, latency: Latency) -> None:
        """Time the services of this device."""
        self.latency = latency
        self.part = Part(is_percpu=self.desc.percpu)
        self.thread_part = Part() if self.spec.thread is not None else None
        self.device.keep_times()

    def compile(self, machine: Machine, seed: int) -> None:
        """Compile the handler's steps, when all that they may name is there."""
        name = self.spec.name
        self.program = Program(
            machine,
            f"{symbol_of(name)}_irq",
            stream(seed, f"device.{name}.handler"),
            quiet=self._quiet,
        )
        self.program.part = self.part
        self.program.is_percpu = self.desc.percpu
        compile_program(self.program, self.spec.handler or ())
        self.thread_program = Program(
            machine,
            f"{symbol_of(name)}_thread",
            stream(seed, f"device.{name}.thread"),
            quiet=self._quiet_in_thread,
        )
        self.thread_program.part = self.thread_part
        compile_program(self.thread_program, self.spec.thread or ())

    def new_action(self, k: Kernel) -> IrqAction:
        """The irqaction that request_irq() would install."""
        flags = irqf_value(self.spec.flags)
        has_thread = self.spec.thread is not None
        is_null = has_thread and self.spec.handler is None
        return IrqAction(
            k,
            self.desc.irq,
            self.spec.name,
            flags,
            self.number,
            irq_default_primary_handler if is_null else self.handler,
            self.thread_fn if has_thread else None,
        )

    def thread_fn(self, k: Kernel, task: Task, action: IrqAction) -> HandlerPath:
        """The thread function; without a handler of the driver's own it quiets the device."""
        is_sole, part = self.spec.handler is None or self.desc.is_nested, self.thread_part
        if part is not None:
            own = Service(self._timed()) if is_sole else None
            part.begin(k.cpus[task.cpu], own)
        if is_sole and self.spec.ack == "start":
            self._quiet_in_thread(k.cpus[task.cpu])
        result = yield from run_task(k, task, self.thread_program, self.thread_program.ops)
        if is_sole and self.spec.ack == "end":
            self._quiet_in_thread(k.cpus[task.cpu])
        if self.expander is not None:
            yield from self.expander.serve(k, task)
        if part is not None:
            part.end(k, k.cpus[task.cpu])
        return result if result != NO_RESULT else IRQ_HANDLED

    def handler(self, k: Kernel, cpu: Cpu, action: IrqAction) -> HandlerPath:
        """The primary handler: quiet the device, run the steps, say whose interrupt it was."""
        device, ack, part = self.device, self.spec.ack, self.part
        pe = cpu.number if self.desc.percpu else 0
        is_wanted = device.wants[pe] > 0 and not device.is_masked
        if part is not None:
            part.begin(cpu, Service(self._timed()))
        if is_wanted and ack == "start":
            self._quiet(cpu)
        result = NO_RESULT
        ops = self.program.ops
        if ops:
            count = cpu.preempt_count
            result = yield from run_atomic(k, cpu, self.program, ops)
            # A handler that leaves a section open: the next one must not find it so.
            cpu.preempt_count = min(cpu.preempt_count, count)
        if is_wanted and ack == "end":
            self._quiet(cpu)
        if result == NO_RESULT:
            result = IRQ_NONE
            if is_wanted:
                result = IRQ_HANDLED if self.spec.thread is None else IRQ_WAKE_THREAD
        if part is not None:
            if result & IRQ_WAKE_THREAD and self.thread_part is not None:
                part.hand_over(self.thread_part, cpu)
            part.end(k, cpu)
        return result

    def _quiet(self, cpu: Cpu) -> None:
        pe = cpu.number if self.desc.percpu else 0
        if self.part is not None:
            self.part.take(self.device, cpu, pe)
        if self.expander is not None:
            self.expander.read_status()
        self.device.quiet(pe)

    def _quiet_in_thread(self, cpu: Cpu) -> None:
        pe = cpu.number if self.desc.percpu else 0
        if self.thread_part is not None:
            self.thread_part.take(self.device, cpu, pe)
        if self.expander is not None:
            self.expander.read_status()
        self.device.quiet(pe)

    def _timed(self) -> Latency:
        assert self.latency is not None
        return self.latency
