"""Steps to operations: names become the objects that they name.

A body is compiled when everything that its steps may name has been made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.kernel import preempt
from irqsim.kernel.irq.irqdesc import IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD
from irqsim.kernel.state import Cpu, Kernel, Path
from irqsim.scenario.program import (
    CALL,
    CHANCE,
    DRAW,
    IF,
    PATH,
    REPEAT,
    REPLAY,
    RETURN,
    RUN,
    Op,
    Program,
    run_steps,
)
from irqsim.scenario.service import key_of
from irqsim.scenario.spec import Arg, Body, Chance, If, Repeat, Replay, Step
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


def compile_lines(program: Program, replay: Replay) -> list[tuple[Op, ...]]:
    """The operations of each line of a replay's file."""
    lines = []
    for line in replay.lines:
        program.recorded_cpu = line.cpu
        lines.append(_compile_line(program, line.body))
    return lines


def _compile_line(program: Program, body: Body) -> tuple[Op, ...]:
    """A line's operations: those behind a `later` wait until the handlers are done."""
    marks = [index for index, step in enumerate(body)
             if isinstance(step, Step) and step.verb == "later"]
    if not marks:
        return compile_body(program, body)
    at = marks[0]
    is_return = isinstance(body[-1], Step) and body[-1].verb == "return"
    end = len(body) - is_return
    later = compile_body(program, body[at + 1 : end])
    op = Op(CALL)

    def call(k: Kernel, cpu: Cpu) -> None:
        path = run_steps(k, cpu, program, later)
        program.machine.recording.decisions().later[cpu.number] = path

    op.call = call
    return (*compile_body(program, body[:at]), op, *compile_body(program, body[end:]))


def _compile_replay(program: Program, replay: Replay) -> Op:
    """Softirqs do the lines that were asked for, all other code one line after the other.

    A task does the section that the recorded switch led to.  A handler starts over when it is
    through: a changed run may have more interrupts.  Per-CPU devices have an order on each CPU.
    """
    op = Op(REPLAY)
    lines = compile_lines(program, replay)
    if program.vec >= 0:
        vec = program.vec

        def take_work(cpu: Cpu) -> list[tuple[Op, ...]]:
            numbers = program.machine.recording.decisions().take_work(cpu, vec)
            return [lines[number - 1] for number in numbers if number <= len(lines)]

        op.take = take_work
        return op
    places: dict[int, list[int]] = {}
    for index, line in enumerate(replay.lines):
        places.setdefault(line.cpu if program.is_percpu else 0, []).append(index)
    used: dict[int, int] = {}

    def take_section(cpu: Cpu) -> list[tuple[Op, ...]]:
        sections = program.machine.recording.decisions().sections
        section = sections.pop(program.task, used.get(0, 0) + 1)
        used[0] = section
        return [lines[section - 1]] if section <= len(lines) else list(lines[-1:])

    def take(cpu: Cpu) -> list[tuple[Op, ...]]:
        place = cpu.number if program.is_percpu else 0
        own = places.get(place)
        if not own:
            return []
        nr_used = used.get(place, 0)
        used[place] = nr_used + 1
        return [lines[own[nr_used % len(own)]]]

    op.take = take_section if program.task else take
    return op


def _compile_step(program: Program, step: Step | Repeat | Chance | If | Replay) -> Op:
    if isinstance(step, Replay):
        return _compile_replay(program, step)
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
        return Op(RETURN, _irqreturn(str(step.args[0])))
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


def _irqreturn(word: str) -> int:
    """An irqreturn_t: unsigned, whatever its driver thinks."""
    value = IRQRETURN.get(word)
    return int(word, 0) & 0xFFFFFFFF if value is None else value


def _compile_run(duration: Arg) -> Op:
    assert isinstance(duration, Duration)
    if duration.kind == "fixed":
        return Op(RUN, duration.a)
    op = Op(DRAW)
    op.duration = duration
    return op
