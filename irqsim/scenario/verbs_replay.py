"""What the steps of a replay run: verbs that only the file of a replay may hold.

A step does what the capture has while its code runs on the CPU on which it was recorded; on
another, the model's own functions do what the step stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.events import IPI_RAISE, TRACEPOINT_BY_NAME, UNKNOWN, Event
from irqsim.kernel import recorded
from irqsim.kernel.smp import mask_value
from irqsim.kernel.state import Cpu, Kernel, Path
from irqsim.kernel.trace import trace
from irqsim.prng import draw
from irqsim.scenario.program import CALL, PATH, Op, Program
from irqsim.scenario.recorded_steps import ANEW, BLANK, TARGET, TASK_STATES
from irqsim.scenario.spec import Arg
from irqsim.units import SOFTIRQ_NAMES, Duration, parse_time

Compiler = Callable[[Program, tuple[Arg, ...]], Op]


def _call(function: Callable[[Kernel, Cpu], None]) -> Op:
    op = Op(CALL)
    op.call = function
    return op


def _path(function: Callable[[Kernel, Cpu], Path]) -> Op:
    op = Op(PATH)
    op.path = function
    return op


def _wait(program: Program, args: tuple[Arg, ...]) -> Op:
    duration = args[0]
    assert isinstance(duration, Duration)

    def path(k: Kernel, cpu: Cpu) -> Path:
        ns = draw(duration, program.stream, program.machine.tick_ns)
        yield from recorded.wait(k, cpu, ns)

    return _path(path)


def _switch(program: Program, args: tuple[Arg, ...]) -> Op:
    state, preempt = TASK_STATES[str(args[0])], args[0] == "R+"
    return _path(lambda k, cpu: recorded.switch(k, cpu, state, preempt))


def _sched_waking(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name, target, here = program.machine, str(args[0]), args[1], program.recorded_cpu
    assert isinstance(target, int)
    return _path(
        lambda k, cpu: recorded.sched_waking(
            k, cpu, machine.task(name), k.cpus[target], cpu.number == here
        )
    )


def _sched_wakeup(is_traced: bool) -> Compiler:
    def compile_(program: Program, args: tuple[Arg, ...]) -> Op:
        machine, name, target, here = program.machine, str(args[0]), args[1], program.recorded_cpu
        assert isinstance(target, int)
        return _path(
            lambda k, cpu: recorded.sched_wakeup(
                k, cpu, machine.task(name), k.cpus[target], cpu.number == here, is_traced
            )
        )

    return compile_


def _need_resched(program: Program, args: tuple[Arg, ...]) -> Op:
    here = program.recorded_cpu

    def call(k: Kernel, cpu: Cpu) -> None:
        if cpu.number == here:
            recorded.need_resched(k, cpu)

    return _call(call)


def _softirq_work(program: Program, args: tuple[Arg, ...]) -> Op:
    vec, number = SOFTIRQ_NAMES.index(str(args[0])), args[1]
    assert isinstance(number, int)
    lines = program.machine.recording.softirq_lines(str(args[0]))

    def call(k: Kernel, cpu: Cpu) -> None:
        if number <= len(lines):
            line = lines[number - 1]
            work = (number, line.delay, ANEW in line.words)
            recorded.recorded_of(k).work[cpu.number][vec].append(work)

    return _call(call)


def _softirq_pending(program: Program, args: tuple[Arg, ...]) -> Op:
    vec = SOFTIRQ_NAMES.index(str(args[0]))

    def call(k: Kernel, cpu: Cpu) -> None:
        cpu.softirq_pending |= 1 << vec

    return _call(call)


def _ipi_raise(program: Program, args: tuple[Arg, ...]) -> Op:
    number, words = args
    assert isinstance(number, int)
    machine = program.machine
    targets = []
    for word in str(words).split():
        match = TARGET.fullmatch(word)
        assert match is not None, word
        cpu, delay, line = match.groups()
        targets.append((int(cpu), parse_time(delay, 1) if delay else 0, int(line or 0)))
    mask = sum(1 << cpu for cpu, _, _ in targets)

    def call(k: Kernel, cpu: Cpu) -> None:
        trace(k, cpu, k.events.intern(IPI_RAISE, mask_value(k, mask), k.ipi.reasons[number]))
        for target, delay_ns, line in targets:
            if line:
                machine.recording.send_ipi(cpu.number, target, number, delay_ns, line)

    return _call(call)


def _exec(program: Program, args: tuple[Arg, ...]) -> Op:
    comm = str(args[0])

    def call(k: Kernel, cpu: Cpu) -> None:
        cpu.current.comm = comm
        cpu.current.contexts.clear()

    return _call(call)


def _event(tell: Callable[[Kernel, Cpu, Event], None]) -> Compiler:
    def compile_(program: Program, args: tuple[Arg, ...]) -> Op:
        name, _, text = str(args[0]).replace(BLANK, " ").partition(": ")
        tracepoint = TRACEPOINT_BY_NAME.get(name)

        def call(k: Kernel, cpu: Cpu) -> None:
            if tracepoint is None or k.trace_enabled[tracepoint.id]:
                tell(k, cpu, k.events.intern(UNKNOWN, name, text))

        return _call(call)

    return compile_


REPLAY_VERBS: Final[dict[str, Compiler]] = {
    "wait": _wait,
    "wait_resched": lambda program, args: _path(recorded.wait_resched),
    "switch": _switch,
    "sched_waking": _sched_waking,
    "sched_wakeup": _sched_wakeup(True),
    "activate": _sched_wakeup(False),
    "need_resched": _need_resched,
    "softirq_work": _softirq_work,
    "softirq_pending": _softirq_pending,
    "ipi_raise": _ipi_raise,
    "later": lambda program, args: _call(lambda k, cpu: None),
    "exec": _exec,
    "event": _event(trace),
    "event_irqs_off": _event(recorded.trace_irqs_off),
}
"""What each verb of a replay runs."""
