"""What a `[replay]` makes of a machine: recorded switches, idle tasks, IPIs, the timer's lines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from irqsim.kernel.recorded import Recorded, recorded_of, wait_resched
from irqsim.kernel.sched import schedule
from irqsim.kernel.state import Cpu, Kernel, Path, Task
from irqsim.prng import stream
from irqsim.scenario.compile import compile_lines
from irqsim.scenario.program import Machine, Op, Program, run_atomic, run_task
from irqsim.scenario.spec import RecordedLine, Replay, ScenarioSpec

UNSEEN: Final = "unseen"
"""Behind the CPU of a line of the ipis: nobody is known to have sent it."""


class RecordedMachine:
    """The part of a machine that replays what belongs to no device and to no task."""

    def __init__(self, k: Kernel, spec: ScenarioSpec) -> None:
        self._k = k
        self._softirqs = spec.softirqs
        self._ipi_ops: list[tuple[Op, ...]] = []
        if spec.replay.is_there:
            k.recorded = Recorded(len(k.cpus), spec.replay.switches or ())

    def decisions(self) -> Recorded:
        """What the capture decided."""
        return recorded_of(self._k)

    def build(self, machine: Machine, spec: ScenarioSpec, tasks: dict[str, Task]) -> None:
        """Make it ready to run, when everything has its name."""
        k, replay = self._k, spec.replay
        if k.recorded is None:
            return
        _make_room(k, list(tasks.values()))
        for name, task in tasks.items():
            k.recorded.name_task(task, name)
        for cpu, each in zip(k.cpus, replay.idle, strict=False):
            program = Program(machine, "do_idle", stream(spec.run.seed, f"idle.{cpu.number}"))
            cpu.idle.frames[0].path = self._idle(cpu, program, compile_lines(program, each))
        for cpu, each in zip(k.cpus, replay.ksoftirqd, strict=False):
            program = Program(machine, "run_ksoftirqd", stream(spec.run.seed, cpu.ksoftirqd.comm))
            k.recorded.ksoftirqd.append(self._ksoftirqd(cpu, program, each))
        if replay.ipis is not None:
            self._ipi_program = Program(machine, "do_handle_IPI", stream(spec.run.seed, "ipis"))
            self._ipi_ops = compile_lines(self._ipi_program, replay.ipis)
            self._schedule_unseen(replay.ipis)

    def softirq_lines(self, name: str) -> tuple[RecordedLine, ...]:
        """The recorded runs of a vector."""
        for spec in self._softirqs:
            for step in spec.run if spec.name == name else ():
                if isinstance(step, Replay):
                    return step.lines
        return ()

    def send_ipi(self, source: int, target: int, number: int, delay_ns: int, line: int) -> None:
        """Have an IPI arrive after a delay, and do there what a line of the ipis says."""
        self._k.queue.schedule(
            self._k.now_ns + delay_ns, partial(self._deliver, source, target, number, line)
        )

    def _schedule_unseen(self, ipis: Replay) -> None:
        for number, line in enumerate(ipis.lines, 1):
            if UNSEEN in line.words:
                ipi = int(line.words[0].removeprefix("IPI"))
                deliver = partial(self._deliver, line.cpu, line.cpu, ipi, number)
                self._k.queue.schedule(line.time, deliver)

    def _deliver(self, source: int, target: int, number: int, line: int, now_ns: int) -> None:
        recorded = self._k.recorded
        assert recorded is not None
        if line <= len(self._ipi_ops):
            path = partial(self._run_ipi, self._ipi_ops[line - 1])
            recorded.ipis.setdefault((target, number), []).append(path)
        self._k.gic.send_sgi(source, number, 1 << target)

    def _run_ipi(self, ops: tuple[Op, ...], k: Kernel, cpu: Cpu) -> Path:
        yield from run_atomic(k, cpu, self._ipi_program, ops)

    def _ksoftirqd(
        self, cpu: Cpu, program: Program, replay: Replay
    ) -> Callable[[int], tuple[Path, int]]:
        """What a ksoftirqd does around its softirqs, by the number of its section."""
        lines = compile_lines(program, replay)

        def section_of(number: int) -> tuple[Path, int]:
            ops = lines[number - 1] if number <= len(lines) else ()
            delay_ns = replay.lines[number - 1].delay if number <= len(lines) else 0
            path = self._run_steps(cpu.ksoftirqd, program, ops)
            return path, delay_ns

        return section_of

    def _run_steps(self, task: Task, program: Program, ops: tuple[Op, ...]) -> Path:
        yield from run_task(self._k, task, program, ops)

    def _idle(self, cpu: Cpu, program: Program, lines: list[tuple[Op, ...]]) -> Path:
        """The idle task: what the capture has of it, and from then on it waits."""
        k = self._k
        assert k.recorded is not None
        section = 0
        while section < len(lines):
            yield from run_task(k, cpu.idle, program, lines[section])
            section = k.recorded.sections.pop(cpu.idle.comm, section + 1)
        while True:
            yield from wait_resched(k, cpu)
            yield from schedule(k, cpu)


def _make_room(k: Kernel, tasks: list[Task]) -> None:
    """Give the kernel's threads other pids than the capture's tasks have: of another kernel
    than the capture's, some are the same."""
    taken = {task.pid: task for task in tasks}
    k.next_pid = max(k.next_pid, *taken, 0) + 1
    for task in k.tasks:
        if taken.get(task.pid, task) is not task:
            task.pid = task.tgid = k.next_pid
            k.next_pid += 1
