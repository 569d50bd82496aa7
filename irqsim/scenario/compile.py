"""Steps to operations: names become the objects that they name.

A body is compiled when everything that its steps may name has been made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.kernel import preempt
from irqsim.kernel.irq.irqdesc import IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD
from irqsim.kernel.state import Cpu, Kernel, Path
from irqsim.scenario.program import CHANCE, DRAW, IF, PATH, REPEAT, RETURN, RUN, Op, Program
from irqsim.scenario.service import key_of
from irqsim.scenario.spec import Arg, Body, Chance, If, Repeat, Step
from irqsim.scenario.verbs import CLOSING, OPENING, VERBS
from irqsim.units import Duration

IRQRETURN: Final[dict[str, int]] = {
    "IRQ_NONE": IRQ_NONE,
    "IRQ_HANDLED": IRQ_HANDLED,
    "IRQ_WAKE_THREAD": IRQ_WAKE_THREAD,
}

IF_TESTS: Final[dict[str, Callable[[Cpu], bool]]] = {
    "in_interrupt": lambda cpu: preempt.in_interrupt(cpu.preempt_count),
    "in_hardirq": lambda cpu: preempt.in_hardirq(cpu.preempt_count),
    "in_softirq": lambda cpu: preempt.in_softirq(cpu.preempt_count),
    "in_task": lambda cpu: preempt.in_task(cpu.preempt_count),
    "irqs_disabled": lambda cpu: cpu.irqs_disabled,
}


def compile_program(program: Program, body: Body) -> None:
    """Give a program its operations."""
    program.ops = compile_body(program, body)


def compile_body(program: Program, body: Body) -> tuple[Op, ...]:
    return tuple(_compile_step(program, step) for step in body)


def _compile_step(program: Program, step: Step | Repeat | Chance | If) -> Op:
    if isinstance(step, Repeat):
        op = Op(REPEAT, step.count)
        op.body = compile_body(program, step.body)
        return op
    if isinstance(step, Chance | If):
        op = Op(CHANCE, step.ppm) if isinstance(step, Chance) else Op(IF)
        if isinstance(step, If):
            op.test = IF_TESTS[step.test]
        op.body = compile_body(program, step.body)
        op.otherwise = compile_body(program, step.otherwise)
        return op
    if step.verb == "run":
        return _compile_run(step.args[0])
    if step.verb == "return":
        return Op(RETURN, IRQRETURN[str(step.args[0])])
    op = VERBS[step.verb](program, step.args)
    op.opens = (step.verb in OPENING) - (step.verb in CLOSING)
    return _handing_over(program, step, op)


def _handing_over(program: Program, step: Step, op: Op) -> Op:
    """An operation that takes the services along that its program is in, if it leaves the rest
    of them to another function."""
    part, key = program.part, key_of(step)
    target = program.machine.part(key) if part is not None and key is not None else None
    if part is None or target is None:
        return op
    run = op.path

    def path(k: Kernel, cpu: Cpu) -> Path:
        part.hand_over(target, cpu)
        yield from run(k, cpu)

    handing_over = Op(PATH)
    handing_over.path = path
    return handing_over


def _compile_run(duration: Arg) -> Op:
    assert isinstance(duration, Duration)
    if duration.kind == "fixed":
        return Op(RUN, duration.a)
    op = Op(DRAW)
    op.duration = duration
    return op
