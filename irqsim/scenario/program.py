"""From steps to a path that the kernel runs.

A body of steps is compiled once, when the machine is built: names become the objects that they
name, durations whole ticks.  Running it is a generator like any other kernel path.  Code in
interrupt context keeps its CPU; a task may come back from a sleep on another, so its runner
looks again after every step.

compile.py makes operations of steps; what each verb runs stands in verbs.py.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, Protocol

from irqsim.kernel.entry import exit_to_user_mode
from irqsim.kernel.hrtimer import HrTimer
from irqsim.kernel.irq.irqdesc import IrqDesc
from irqsim.kernel.locking import Mutex, SpinLock
from irqsim.kernel.preempt import IN_INTERRUPT_MASK
from irqsim.kernel.recorded import Recorded
from irqsim.kernel.sched import preempt_check_resched
from irqsim.kernel.softirq import Tasklet, raise_softirq_no_wake
from irqsim.kernel.state import Cpu, Kernel, Path, Task
from irqsim.kernel.timer import TimerList
from irqsim.kernel.wait import WaitQueue
from irqsim.kernel.workqueue import Work
from irqsim.prng import Stream, draw
from irqsim.scenario.service import Part, PartKey
from irqsim.scenario.spec import RecordedLine
from irqsim.units import Duration

NO_RESULT: Final = -1
"""What a body returns that ran to its end without a `return` step."""

BodyPath = Generator[int, None, int]

# What an operation is.
RUN: Final = 0
DRAW: Final = 1
CALL: Final = 2
PATH: Final = 3
RAISE: Final = 4
RETURN: Final = 5
REPEAT: Final = 6
CHANCE: Final = 7
IF: Final = 8
REPLAY: Final = 9


class Op:
    """One compiled step."""

    __slots__ = (
        "body", "call", "duration", "kind", "ns", "opens", "otherwise", "path", "take", "test",
    )  # fmt: skip

    kind: int
    ns: int
    """RUN: how long; RAISE: the vector; RETURN: the result; REPEAT: how often; CHANCE: parts per
    million."""
    duration: Duration | None
    call: Callable[[Kernel, Cpu], None]
    path: Callable[[Kernel, Cpu], Path]
    test: Callable[[Cpu], bool]
    opens: int
    """1 if a section begins behind it that no user code can be in, -1 if one ends."""
    take: Callable[[Cpu], list[tuple[Op, ...]]]
    """REPLAY: what this occurrence does."""
    body: tuple[Op, ...]
    otherwise: tuple[Op, ...]

    def __init__(self, kind: int, ns: int = 0) -> None:
        self.kind = kind
        self.ns = ns
        self.duration = None
        self.opens = 0
        self.body = ()
        self.otherwise = ()


class Recording(Protocol):
    """What a replay is of."""

    def decisions(self) -> Recorded:
        """What the capture decided."""

    def softirq_lines(self, name: str) -> tuple[RecordedLine, ...]:
        """The recorded runs of a vector."""

    def send_ipi(self, source: int, target: int, number: int, delay_ns: int, line: int) -> None:
        """Have an IPI arrive after a delay, and do there what a line of the ipis says."""


class Machine(Protocol):
    """What names in steps stand for."""

    tick_ns: int

    @property
    def recording(self) -> Recording:
        """What the scenario replays."""

    def tasklet(self, name: str) -> Tasklet:
        """The tasklet of that name."""

    def task(self, name: str) -> Task:
        """The task of that name."""

    def timer(self, name: str) -> TimerList:
        """The timer of that name."""

    def hrtimer(self, name: str) -> HrTimer:
        """The hrtimer of that name."""

    def napi_schedule(self, k: Kernel, cpu: Cpu, name: str) -> Path:
        """Mask the device of a NAPI instance and have it polled."""

    def work(self, name: str) -> Work:
        """The work of that name."""

    def delayed_work_timer(self, name: str) -> TimerList:
        """The timer that queues the work of that name."""

    def lock(self, name: str) -> SpinLock:
        """The spin lock of that name: the first use makes it."""

    def mutex(self, name: str) -> Mutex:
        """The mutex of that name: the first use makes it."""

    def wait_queue(self, name: str) -> WaitQueue:
        """The wait queue of that name: the first use makes it."""

    def sleep_timer(self, task: Task) -> TimerList:
        """The timer that ends a sleep of this task."""

    def line_of(self, device: str) -> IrqDesc:
        """The line of the device of that name."""

    def request_irq(self, device: str) -> Path:
        """Request the line of a device for its driver, while the machine runs."""

    def free_irq(self, cpu: Cpu, device: str) -> Path:
        """Give it back."""

    def part(self, key: PartKey) -> Part | None:
        """The part of a function, if services that are timed may be in it."""


class Program:
    """A compiled body, and what its steps need to know about where they stand."""

    __slots__ = (
        "is_percpu", "is_user", "machine", "nr_sections", "ops", "part", "quiet", "recorded_cpu",
        "stream", "symbol", "task", "vec",
    )  # fmt: skip

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
    part: Part | None
    """Set before it is compiled, where services that are timed may be in it."""
    is_percpu: bool
    """A per-CPU device's handler: each CPU has its own occurrences."""
    vec: int
    """A softirq's: its number; -1 for other code."""

    task: str
    """A task's: its name; or nothing."""

    # run_task()'s.
    nr_sections: int
    """How many locks and the like the task holds that runs it."""

    # compile.py's.
    recorded_cpu: int
    """Of the line of a replay that is being compiled."""

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
        self.part = None
        self.ops = ()
        self.nr_sections = 0
        self.is_percpu = False
        self.vec = -1
        self.task = ""
        self.recorded_cpu = -1


def symbol_of(name: str) -> str:
    """A name as a C identifier: what is none becomes `_`."""
    text = "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
    return f"_{text}" if text[:1].isdigit() else text


# -- running -----------------------------------------------------------------------------


def run_atomic(k: Kernel, cpu: Cpu, program: Program, ops: tuple[Op, ...]) -> BodyPath:
    """Run steps in interrupt context.  Returns the value of a `return` step, or NO_RESULT."""
    for op in ops:
        kind = op.kind
        if kind == RUN:
            yield op.ns
        elif kind == RAISE and cpu.irqs_disabled and cpu.preempt_count & IN_INTERRUPT_MASK:
            # All of raise_softirq() that is left here, and most of what handlers do.
            raise_softirq_no_wake(k, cpu, op.ns)
            yield k.cost.softirq_raise
        elif kind == CALL:
            op.call(k, cpu)
        elif kind == PATH or kind == RAISE:
            yield from op.path(k, cpu)
        elif kind == RETURN:
            return op.ns
        elif kind == DRAW:
            assert op.duration is not None
            yield draw(op.duration, program.stream, program.machine.tick_ns)
        else:
            for body in _chosen(op, cpu, program):
                began_ns = k.now_ns
                result = yield from run_atomic(k, cpu, program, body)
                if result != NO_RESULT:
                    return result
                if op.kind == REPEAT and k.now_ns == began_ns:
                    # A round of no duration: the engine counts them.
                    yield 0
    return NO_RESULT


def run_steps(k: Kernel, cpu: Cpu, program: Program, ops: tuple[Op, ...]) -> Path:
    """The same, where nobody asks for a value."""
    yield from run_atomic(k, cpu, program, ops)


def run_task(k: Kernel, task: Task, program: Program, ops: tuple[Op, ...]) -> BodyPath:
    """Run steps in process context.

    A user task is in the kernel between two `run`s, and from taking a lock, or switching
    interrupts, bottom halves or preemption off, to the opposite; on its way back it gives way
    if it should.
    """
    for op in ops:
        cpu = k.cpus[task.cpu]
        kind = op.kind
        if kind == RUN or kind == DRAW:
            ns = op.ns
            if kind == DRAW:
                assert op.duration is not None
                ns = draw(op.duration, program.stream, program.machine.tick_ns)
            if program.is_user and not program.nr_sections:
                yield from return_to_user(k, task)
                yield ns
            else:
                yield ns
        elif kind == CALL or kind == PATH or kind == RAISE:
            if task.in_user:
                task.in_user = False
                yield k.cost.syscall
            if kind == CALL:
                op.call(k, cpu)
            else:
                yield from op.path(k, cpu)
            program.nr_sections = max(0, program.nr_sections + op.opens)
        elif kind == RETURN:
            return op.ns
        else:
            for body in _chosen(op, cpu, program):
                began_ns = k.now_ns
                result = yield from run_task(k, task, program, body)
                if result != NO_RESULT:
                    return result
                if op.kind == REPEAT and k.now_ns == began_ns:
                    # A round of no duration: the engine counts them.
                    yield 0
    return NO_RESULT


def return_to_user(k: Kernel, task: Task) -> Path:
    """The way back to user mode: give way first if asked to.

    A kernel that can be preempted is, on its way there.
    """
    if not task.in_user:
        yield from preempt_check_resched(k, k.cpus[task.cpu])
    yield from exit_to_user_mode(k, task)
    task.in_user = True


def _chosen(op: Op, cpu: Cpu, program: Program) -> Generator[tuple[Op, ...], None, None]:
    """The bodies that a control step runs, one after the other."""
    if op.kind == REPEAT:
        for _ in range(op.ns):
            yield op.body
    elif op.kind == REPLAY:
        yield from op.take(cpu)
    elif op.kind == CHANCE:
        yield op.body if program.stream.chance(op.ns) else op.otherwise
    else:
        yield op.body if op.test(cpu) else op.otherwise
