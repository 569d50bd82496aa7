"""From steps to a path that the kernel runs.

A body of steps is compiled once, when the machine is built: names become the objects that they
name, durations whole ticks.  Running it is a generator like any other kernel path.  Code in
interrupt context keeps its CPU; a task may come back from a sleep on another, so its runner
looks again after every step.

What a verb runs stands in one table, `VERBS`; its grammar is in steps.py.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, Protocol

from irqsim.events import PRINT, TASK_INTERRUPTIBLE
from irqsim.kernel import preempt
from irqsim.kernel.irq import manage
from irqsim.kernel.irq.irqdesc import IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD, IrqDesc
from irqsim.kernel.sched import (
    cond_resched,
    preempt_check_resched,
    sched_yield,
    schedule,
    wake_up_process,
)
from irqsim.kernel.smp import smp_call_function_single_async, smp_cross_call
from irqsim.kernel.softirq import (
    HI_SOFTIRQ,
    TASKLET_SOFTIRQ,
    Tasklet,
    local_bh_disable,
    local_bh_enable,
    raise_softirq,
    tasklet_disable,
    tasklet_enable,
    tasklet_kill,
    tasklet_schedule,
)
from irqsim.kernel.state import PANIC, Cpu, Kernel, Path, Task
from irqsim.kernel.trace import trace
from irqsim.prng import Stream, draw
from irqsim.scenario.spec import Arg, Body, Chance, If, Repeat, Step
from irqsim.units import SOFTIRQ_NAMES, Duration

NO_RESULT: Final = -1
"""What a body returns that ran to its end without a `return` step."""

BodyPath = Generator[int, None, int]

IRQRETURN: Final[dict[str, int]] = {
    "IRQ_NONE": IRQ_NONE,
    "IRQ_HANDLED": IRQ_HANDLED,
    "IRQ_WAKE_THREAD": IRQ_WAKE_THREAD,
}

# What an operation is.
_RUN: Final = 0
_DRAW: Final = 1
_CALL: Final = 2
_PATH: Final = 3
_RETURN: Final = 4
_REPEAT: Final = 5
_CHANCE: Final = 6
_IF: Final = 7


class Op:
    """One compiled step."""

    __slots__ = ("body", "call", "duration", "kind", "ns", "otherwise", "path", "test")

    kind: int
    ns: int
    """RUN: how long; RETURN: the result; REPEAT: how often; CHANCE: parts per million."""
    duration: Duration | None
    call: Callable[[Kernel, Cpu], None]
    path: Callable[[Kernel, Cpu], Path]
    test: Callable[[Cpu], bool]
    body: tuple[Op, ...]
    otherwise: tuple[Op, ...]

    def __init__(self, kind: int, ns: int = 0) -> None:
        self.kind = kind
        self.ns = ns
        self.duration = None
        self.body = ()
        self.otherwise = ()


class Machine(Protocol):
    """What names in steps stand for."""

    tick_ns: int

    def tasklet(self, name: str) -> Tasklet:
        """The tasklet of that name."""

    def task(self, name: str) -> Task:
        """The task of that name."""

    def line_of(self, device: str) -> IrqDesc:
        """The line of the device of that name."""

    def request_irq(self, device: str) -> Path:
        """Request the line of a device for its driver, while the machine runs."""

    def free_irq(self, cpu: Cpu, device: str) -> Path:
        """Give it back."""

    def panic(self, words: str) -> None:
        """Note the panic; the machine stops at the path's next yield."""


class Program:
    """A compiled body, and what its steps need to know about where they stand."""

    __slots__ = ("is_user", "machine", "ops", "quiet", "stream", "symbol")

    # Fixed once it is compiled.
    ops: tuple[Op, ...]
    symbol: str
    """The name of the function that the code would be."""
    is_user: bool
    """`run` is user code, every other step a system call."""
    machine: Machine
    stream: Stream
    quiet: Callable[[Cpu], None] | None
    """The `ack` step: what it does to this driver's device."""

    def __init__(
        self,
        machine: Machine,
        symbol: str,
        stream: Stream,
        quiet: Callable[[Cpu], None] | None = None,
        is_user: bool = False,
    ) -> None:
        self.machine = machine
        self.symbol = symbol
        self.stream = stream
        self.quiet = quiet
        self.is_user = is_user
        self.ops = ()

    def compile(self, body: Body) -> None:
        """Turn steps into operations, when all that they may name is there."""
        self.ops = _compile(self, body)


def symbol_of(name: str) -> str:
    """A name as a C identifier: what is none becomes `_`."""
    text = "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
    return f"_{text}" if text[:1].isdigit() else text


# -- running -----------------------------------------------------------------------------


def run_atomic(k: Kernel, cpu: Cpu, program: Program, ops: tuple[Op, ...]) -> BodyPath:
    """Run steps in interrupt context.  Returns the value of a `return` step, or NO_RESULT."""
    for op in ops:
        kind = op.kind
        if kind == _RUN:
            yield op.ns
        elif kind == _CALL:
            op.call(k, cpu)
        elif kind == _PATH:
            yield from op.path(k, cpu)
        elif kind == _RETURN:
            return op.ns
        elif kind == _DRAW:
            assert op.duration is not None
            yield draw(op.duration, program.stream, program.machine.tick_ns)
        else:
            for body in _chosen(op, cpu, program):
                result = yield from run_atomic(k, cpu, program, body)
                if result != NO_RESULT:
                    return result
    return NO_RESULT


def run_task(k: Kernel, task: Task, program: Program, ops: tuple[Op, ...]) -> BodyPath:
    """Run steps in process context.

    A user task is in the kernel between two `run`s, and while it holds interrupts, bottom
    halves or preemption off; on its way back it gives way if it should.
    """
    for op in ops:
        cpu = k.cpus[task.cpu]
        kind = op.kind
        if kind == _RUN or kind == _DRAW:
            ns = op.ns
            if kind == _DRAW:
                assert op.duration is not None
                ns = draw(op.duration, program.stream, program.machine.tick_ns)
            if program.is_user and not cpu.preempt_count and not cpu.irqs_disabled:
                yield from return_to_user(k, task)
                yield ns
            else:
                yield ns
        elif kind == _CALL or kind == _PATH:
            if task.in_user:
                task.in_user = False
                yield k.cost.syscall
            if kind == _CALL:
                op.call(k, cpu)
            else:
                yield from op.path(k, cpu)
        elif kind == _RETURN:
            return op.ns
        else:
            for body in _chosen(op, cpu, program):
                result = yield from run_task(k, task, program, body)
                if result != NO_RESULT:
                    return result
    return NO_RESULT


def return_to_user(k: Kernel, task: Task) -> Path:
    """The way back to user mode: give way first if asked to.

    Source: arch/arm64/kernel/entry-common.c: exit_to_user_mode, do_notify_resume.
    """
    while k.cpus[task.cpu].tif_need_resched:
        yield from schedule(k, k.cpus[task.cpu])
    task.in_user = True


def _chosen(op: Op, cpu: Cpu, program: Program) -> Generator[tuple[Op, ...], None, None]:
    """The bodies that a control step runs, one after the other."""
    if op.kind == _REPEAT:
        for _ in range(op.ns):
            yield op.body
    elif op.kind == _CHANCE:
        yield op.body if program.stream.chance(op.ns) else op.otherwise
    else:
        yield op.body if op.test(cpu) else op.otherwise


# -- compiling ---------------------------------------------------------------------------


def _compile(program: Program, body: Body) -> tuple[Op, ...]:
    return tuple(_compile_step(program, step) for step in body)


def _compile_step(program: Program, step: Step | Repeat | Chance | If) -> Op:
    if isinstance(step, Repeat):
        op = Op(_REPEAT, step.count)
        op.body = _compile(program, step.body)
        return op
    if isinstance(step, Chance):
        op = Op(_CHANCE, step.ppm)
        op.body, op.otherwise = _compile(program, step.body), _compile(program, step.otherwise)
        return op
    if isinstance(step, If):
        op = Op(_IF)
        op.test = IF_TESTS[step.test]
        op.body, op.otherwise = _compile(program, step.body), _compile(program, step.otherwise)
        return op
    if step.verb == "run":
        return _compile_run(step.args[0])
    if step.verb == "return":
        return Op(_RETURN, IRQRETURN[str(step.args[0])])
    return VERBS[step.verb](program, step.args)


def _compile_run(duration: Arg) -> Op:
    assert isinstance(duration, Duration)
    if duration.kind == "fixed":
        return Op(_RUN, duration.a)
    op = Op(_DRAW)
    op.duration = duration
    return op


def _call(function: Callable[[Kernel, Cpu], None]) -> Op:
    op = Op(_CALL)
    op.call = function
    return op


def _path(function: Callable[[Kernel, Cpu], Path]) -> Op:
    op = Op(_PATH)
    op.path = function
    return op


IF_TESTS: Final[dict[str, Callable[[Cpu], bool]]] = {
    "in_interrupt": lambda cpu: preempt.in_interrupt(cpu.preempt_count),
    "in_hardirq": lambda cpu: preempt.in_hardirq(cpu.preempt_count),
    "in_softirq": lambda cpu: preempt.in_softirq(cpu.preempt_count),
    "in_task": lambda cpu: preempt.in_task(cpu.preempt_count),
    "irqs_disabled": lambda cpu: cpu.irqs_disabled,
}

Compiler = Callable[[Program, tuple[Arg, ...]], Op]


def _ack(program: Program, args: tuple[Arg, ...]) -> Op:
    quiet = program.quiet
    assert quiet is not None
    return _call(lambda k, cpu: quiet(cpu))


def _raise_softirq(program: Program, args: tuple[Arg, ...]) -> Op:
    vec = SOFTIRQ_NAMES.index(str(args[0]))
    return _path(lambda k, cpu: raise_softirq(k, cpu, vec))


def _tasklet_schedule(vec: int) -> Compiler:
    def compile_(program: Program, args: tuple[Arg, ...]) -> Op:
        tasklet = program.machine.tasklet(str(args[0]))
        return _path(lambda k, cpu: tasklet_schedule(k, cpu, tasklet, vec))

    return compile_


def _tasklet_disable(program: Program, args: tuple[Arg, ...]) -> Op:
    tasklet = program.machine.tasklet(str(args[0]))
    return _path(lambda k, cpu: tasklet_disable(k, tasklet))


def _tasklet_enable(program: Program, args: tuple[Arg, ...]) -> Op:
    tasklet = program.machine.tasklet(str(args[0]))
    return _call(lambda k, cpu: tasklet_enable(k, cpu, tasklet))


def _tasklet_kill(program: Program, args: tuple[Arg, ...]) -> Op:
    tasklet = program.machine.tasklet(str(args[0]))
    return _path(lambda k, cpu: tasklet_kill(k, cpu, tasklet))


def _wake_up_process(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])
    return _path(lambda k, cpu: wake_up_process(k, cpu, machine.task(name)))


def _managed(change: Callable[[Kernel, Cpu, IrqDesc], None]) -> Compiler:
    """A call on a device's line that takes its time and does not wait."""

    def compile_(program: Program, args: tuple[Arg, ...]) -> Op:
        machine, name = program.machine, str(args[0])

        def path(k: Kernel, cpu: Cpu) -> Path:
            change(k, cpu, machine.line_of(name))
            yield k.cost.irq_manage

        return _path(path)

    return compile_


def _disable_irq(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])

    def path(k: Kernel, cpu: Cpu) -> Path:
        desc = machine.line_of(name)
        manage.disable_irq_nosync(desc)
        yield k.cost.irq_manage
        yield from manage.synchronize_irq(k, cpu, desc)

    return _path(path)


def _synchronize_irq(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])
    return _path(lambda k, cpu: manage.synchronize_irq(k, cpu, machine.line_of(name)))


def _irq_set_affinity(program: Program, args: tuple[Arg, ...]) -> Op:
    cpus = args[1]
    assert isinstance(cpus, tuple)
    return _managed(lambda k, cpu, desc: manage.irq_set_affinity(k, desc, cpus))(program, args)


def _request_irq(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])
    return _path(lambda k, cpu: machine.request_irq(name))


def _free_irq(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])
    return _path(lambda k, cpu: machine.free_irq(cpu, name))


def _simple(path: Callable[[Kernel, Cpu], Path]) -> Compiler:
    return lambda program, args: _path(path)


def _local_irq_disable(k: Kernel, cpu: Cpu) -> Path:
    cpu.irqs_disabled = True
    yield k.cost.local_irq


def _local_irq_enable(k: Kernel, cpu: Cpu) -> Path:
    cpu.irqs_disabled = False
    yield k.cost.local_irq
    yield from preempt_check_resched(k, cpu)


def _local_bh_disable(k: Kernel, cpu: Cpu) -> Path:
    local_bh_disable(cpu)
    yield k.cost.local_irq


def _preempt_disable(k: Kernel, cpu: Cpu) -> Path:
    if k.preempt_count_built:
        cpu.preempt_count += preempt.PREEMPT_OFFSET
    yield k.cost.local_irq


def _preempt_enable(k: Kernel, cpu: Cpu) -> Path:
    if k.preempt_count_built:
        cpu.preempt_count -= preempt.PREEMPT_OFFSET
    yield k.cost.local_irq
    yield from preempt_check_resched(k, cpu)


def _schedule(k: Kernel, cpu: Cpu) -> Path:
    cpu.current.state = TASK_INTERRUPTIBLE
    yield from schedule(k, cpu)


def _syscall(program: Program, args: tuple[Arg, ...]) -> Op:
    duration = args[0]
    assert isinstance(duration, Duration)

    def path(k: Kernel, cpu: Cpu) -> Path:
        yield draw(duration, program.stream, program.machine.tick_ns)

    return _path(path)


def _smp_send_reschedule(program: Program, args: tuple[Arg, ...]) -> Op:
    number = args[0]
    assert isinstance(number, int)
    return _call(lambda k, cpu: smp_cross_call(k, cpu, 1 << number, k.ipi.reschedule))


def _smp_call_function(program: Program, args: tuple[Arg, ...]) -> Op:
    number, duration = args
    assert isinstance(number, int)
    assert isinstance(duration, Duration)

    def function(cpu: Cpu) -> Path:
        yield draw(duration, program.stream, program.machine.tick_ns)

    def call(k: Kernel, cpu: Cpu) -> None:
        smp_call_function_single_async(k, cpu, k.cpus[number], function)

    return _call(call)


def _trace_printk(program: Program, args: tuple[Arg, ...]) -> Op:
    symbol, words = program.symbol, str(args[0])
    return _call(lambda k, cpu: trace(k, cpu, k.events.intern(PRINT, symbol, words)))


def _panic(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, words = program.machine, str(args[0])

    def path(k: Kernel, cpu: Cpu) -> Path:
        machine.panic(words)
        yield PANIC

    return _path(path)


VERBS: Final[dict[str, Compiler]] = {
    "ack": _ack,
    "raise_softirq": _raise_softirq,
    "tasklet_schedule": _tasklet_schedule(TASKLET_SOFTIRQ),
    "tasklet_hi_schedule": _tasklet_schedule(HI_SOFTIRQ),
    "tasklet_disable": _tasklet_disable,
    "tasklet_enable": _tasklet_enable,
    "tasklet_kill": _tasklet_kill,
    "wake_up_process": _wake_up_process,
    "disable_irq": _disable_irq,
    "disable_irq_nosync": _managed(lambda k, cpu, desc: manage.disable_irq_nosync(desc)),
    "enable_irq": _managed(manage.enable_irq),
    "irq_set_affinity": _irq_set_affinity,
    "synchronize_irq": _synchronize_irq,
    "request_irq": _request_irq,
    "free_irq": _free_irq,
    "local_irq_disable": _simple(_local_irq_disable),
    "local_irq_enable": _simple(_local_irq_enable),
    "local_bh_disable": _simple(_local_bh_disable),
    "local_bh_enable": _simple(local_bh_enable),
    "preempt_disable": _simple(_preempt_disable),
    "preempt_enable": _simple(_preempt_enable),
    "schedule": _simple(_schedule),
    "sched_yield": _simple(sched_yield),
    "cond_resched": _simple(cond_resched),
    "syscall": _syscall,
    "smp_send_reschedule": _smp_send_reschedule,
    "smp_call_function": _smp_call_function,
    "trace_printk": _trace_printk,
    "panic": _panic,
}
"""What each verb runs.  A verb of steps.py that is missing here is refused by later.py."""
