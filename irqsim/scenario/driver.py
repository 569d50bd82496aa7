"""A driver: the device that it serves, its handler, and its place on an interrupt line.

A handler runs its steps whether or not its own device wanted service, as a driver on a shared
line does; what it returns by itself says whether it did.
"""

from __future__ import annotations

from irqsim.hw.device import Device
from irqsim.kernel.irq.irqdesc import IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD, IrqAction, IrqDesc
from irqsim.kernel.irq.settings import irqf_value
from irqsim.kernel.irq.thread import irq_default_primary_handler
from irqsim.kernel.state import Cpu, HandlerPath, Kernel, Task
from irqsim.prng import stream
from irqsim.scenario.compile import compile_program
from irqsim.scenario.program import NO_RESULT, Machine, Program, run_atomic, run_task, symbol_of
from irqsim.scenario.spec import DeviceSpec


class Driver:
    """What one `[[device]]` becomes."""

    __slots__ = ("action", "desc", "device", "number", "program", "spec", "thread_program")

    # Fixed when the machine is built.
    spec: DeviceSpec
    number: int
    """Its place in the scenario: tells the actions of a shared line apart (dev_id)."""
    device: Device
    desc: IrqDesc
    program: Program
    thread_program: Program

    # The machine's.
    action: IrqAction | None
    """What request_irq() installed; None while the line is not requested."""

    def __init__(self, spec: DeviceSpec, number: int, device: Device, desc: IrqDesc) -> None:
        self.spec = spec
        self.number = number
        self.device = device
        self.desc = desc
        self.action = None

    def compile(self, machine: Machine, seed: int) -> None:
        """Compile the handler's steps, when all that they may name is there."""
        name = self.spec.name
        self.program = Program(
            machine,
            f"{symbol_of(name)}_irq",
            stream(seed, f"device.{name}.handler"),
            quiet=self._quiet,
        )
        compile_program(self.program, self.spec.handler or ())
        self.thread_program = Program(
            machine,
            f"{symbol_of(name)}_thread",
            stream(seed, f"device.{name}.thread"),
            quiet=self._quiet,
        )
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
        device, is_sole = self.device, self.spec.handler is None
        if is_sole and self.spec.ack == "start":
            device.quiet()
        result = yield from run_task(k, task, self.thread_program, self.thread_program.ops)
        if is_sole and self.spec.ack == "end":
            device.quiet()
        return result if result != NO_RESULT else IRQ_HANDLED

    def handler(self, k: Kernel, cpu: Cpu, action: IrqAction) -> HandlerPath:
        """The primary handler: quiet the device, run the steps, say whose interrupt it was."""
        device, ack = self.device, self.spec.ack
        pe = cpu.number if self.desc.percpu else 0
        is_wanted = device.wants[pe] > 0 and not device.is_masked
        if is_wanted and ack == "start":
            device.quiet(pe)
        result = NO_RESULT
        ops = self.program.ops
        if ops:
            count = cpu.preempt_count
            result = yield from run_atomic(k, cpu, self.program, ops)
            # A handler that leaves a section open: the next one must not find it so.
            cpu.preempt_count = count
        if is_wanted and ack == "end":
            device.quiet(pe)
        if result != NO_RESULT:
            return result
        if not is_wanted:
            return IRQ_NONE
        return IRQ_WAKE_THREAD if self.spec.thread is not None else IRQ_HANDLED

    def _quiet(self, cpu: Cpu) -> None:
        self.device.quiet(cpu.number if self.desc.percpu else 0)
