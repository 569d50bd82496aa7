"""Scenarios that have been run, with all that was seen of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Final
from unittest.mock import patch

import irqsim.irqchips
from irqsim.analysis.check import INVARIANTS, Checker
from irqsim.analysis.invariant import Setting, Violation
from irqsim.analysis.state import STATE_INVARIANTS
from irqsim.clock import NEVER
from irqsim.events import TASK_RUNNING, TRACEPOINTS, Record, release_number
from irqsim.hw.gic import Gic
from irqsim.hw.intid import SPECIAL_BASE, SPI_BASE
from irqsim.irqchips import GicBoard
from irqsim.kernel.irq.handle import handle_edge_irq, handle_simple_irq
from irqsim.kernel.irq.irqdesc import IRQS_ONESHOT
from irqsim.kernel.preempt import HARDIRQ_MASK
from irqsim.kernel.state import Cpu
from irqsim.machine import Machine
from irqsim.proc.errno import FileError
from irqsim.proc.system import System
from irqsim.proc.table import files_of
from irqsim.scenario.driver import Driver
from irqsim.scenario.spec import AtCommand, AtSpec, Body, ScenarioSpec
from irqsim.scenario.steps import steps_of
from irqsim.trace.ftrace import TextFormat
from tests.strategies import spec_of_seed

NR_RUNS: Final = 116
NR_SLICES: Final = 7
INTID_MASK: Final = {2: 0x3FF, 3: 0xFF_FFFF}


class WatchedGic(Gic):
    """A Gic that keeps books of its own of what it hands out, and notes when edges came."""

    __slots__ = ("_taken", "faults", "last_pulse_ns", "now_ns")

    def __init__(self, version: int, nr_pes: int, nr_spis: int, priority_bits: int = 5) -> None:
        super().__init__(version, nr_pes, nr_spis, priority_bits)
        self._taken: dict[tuple[int, int], int] = {}
        self.faults: list[str] = []
        self.last_pulse_ns: dict[tuple[int, int], int] = {}
        """By INTID and PE (0 for an SPI)."""
        self.now_ns: Callable[[], int] = lambda: 0

    def acknowledge(self, pe: int) -> int:
        iar = super().acknowledge(pe)
        intid = iar & INTID_MASK[self.version]
        # An LPI is never active: another PE may take it while its handler runs.
        if intid < SPECIAL_BASE:
            key = self._key(intid, pe)
            if key in self._taken:
                self.faults.append(
                    f"{self.now_ns()} ns: INTID {intid} goes to PE {pe} while it is active "
                    f"on PE {self._taken[key]}"
                )
            self._taken[key] = pe
        return iar

    def end_of_interrupt(self, pe: int, iar: int) -> None:
        super().end_of_interrupt(pe, iar)
        self._taken.pop(self._key(iar & INTID_MASK[self.version], pe), None)

    def pulse(self, intid: int, pe: int = 0) -> bool:
        self.last_pulse_ns[self._key(intid, pe)] = self.now_ns()
        return super().pulse(intid, pe)

    def faults_of_active(self) -> list[str]:
        """Where the books and the registers do not agree."""
        faults = []
        for intid in range(2 * SPI_BASE):
            for pe in range(self.nr_pes if intid < SPI_BASE else 1):
                is_taken = (intid, pe) in self._taken
                is_active = self.is_active(intid, pe)
                if is_active != is_taken:
                    faults.append(f"INTID {intid}, PE {pe}: taken {is_taken}, active {is_active}")
        return faults

    def _key(self, intid: int, pe: int) -> tuple[int, int]:
        return intid, 0 if intid >= SPI_BASE else pe


# -- laws over a machine's state, between two of its steps -----------------------------------


def faults_of_masks(machine: Machine) -> list[str]:
    """Look for lines that are masked though nothing keeps them so."""
    k = machine.kernel
    if k.spurious.irqfixup and any(cpu.preempt_count & HARDIRQ_MASK for cpu in k.cpus):
        # Other lines' handlers are called behind this line's own, which is still masked.
        return []
    return [
        f"irq {driver.desc.irq} is masked"
        for driver in machine.drivers.values()
        if driver.desc.masked
        and driver.desc.actions
        and not driver.desc.irqs_disabled
        and not driver.desc.threads_oneshot
        and not driver.desc.inprogress
    ]


def faults_of_oneshot(machine: Machine) -> list[str]:
    """Look for one-shot lines that are not masked though a thread is to run.

    enable_irq() unmasks a line whatever its threads do.  handle_edge_irq() and
    handle_simple_irq() mask none.
    """
    steps = [step for body in bodies(machine.spec) for step in steps_of(body)]
    if any(step.verb == "enable_irq" for step in steps):
        return []
    return [
        f"irq {driver.desc.irq} is not masked"
        for driver in machine.drivers.values()
        if driver.desc.istate & IRQS_ONESHOT
        and driver.desc.handle_irq not in (handle_edge_irq, handle_simple_irq)
        and driver.desc.threads_oneshot
        and not driver.desc.masked
    ]


def faults_of_wakeups(machine: Machine) -> list[str]:
    """Look for tasks that were woken and are nowhere, or wait for an interrupt that never comes."""
    k = machine.kernel
    if any(cpu.irqs_disabled for cpu in k.cpus):
        # A wake-up may be under way.
        return []
    places = [cpu.current for cpu in k.cpus]
    for cpu in k.cpus:
        places += [*cpu.rq.rt, *cpu.rq.fair, *cpu.wake_list]
    faults = [
        f"{task.comm}-{task.pid} is runnable, and nowhere"
        for task in k.tasks
        if task.state == TASK_RUNNING and not any(task is each for each in places)
    ]
    in_flight = k.queue.next_ns <= k.now_ns + k.cost.ipi
    for cpu in k.cpus:
        if cpu.wake_list and cpu.due_ns == NEVER and not in_flight:
            faults.append(f"CPU {cpu.number} idles, and was to take up {cpu.wake_list[0].comm}")
    return faults


def faults_of_user_mode(machine: Machine) -> list[str]:
    """Look for CPUs in user mode with interrupts off."""
    return [
        f"CPU {cpu.number} runs {cpu.current.comm} in user mode with interrupts off"
        for cpu in machine.kernel.cpus
        if cpu.current.in_user and len(cpu.frames) == 1 and cpu.irqs_disabled
    ]


MACHINE_FAULTS: Final[dict[str, Callable[[Machine], list[str]]]] = {
    "a_masked_line_has_a_reason": faults_of_masks,
    "a_oneshot_line_waits_for_its_thread": faults_of_oneshot,
    "who_is_woken_runs_or_waits": faults_of_wakeups,
    "interrupts_are_on_in_user_mode": faults_of_user_mode,
}


class Run:
    """A scenario that has been run, with every tracepoint enabled."""

    def __init__(self, spec: ScenarioSpec, nr_slices: int = NR_SLICES) -> None:
        self.spec = spec
        self.records: list[Record] = []
        self._violations: list[Violation] | None = None
        self._typed: deque[AtCommand] = deque()
        self._died_ns: dict[int, int] = {}
        self.off: list[tuple[int, int, int]] = []
        """CPUs that were off, with when they went and when they came."""
        with patch.object(irqsim.irqchips, "Gic", WatchedGic):
            self.machine = Machine(spec, self.records.extend, self._operate)
        k, board = self.machine.kernel, self.machine.board
        self._watch_cpus()
        self.gic: WatchedGic | None = None
        """None on a machine without one."""
        if isinstance(board, GicBoard):
            assert isinstance(board.gic, WatchedGic)
            self.gic = board.gic
            self.gic.now_ns = lambda: k.now_ns
        self.kernel = k
        for tracepoint in TRACEPOINTS:
            k.trace_enabled[tracepoint.id] = True
        names = [*(each.name for each in STATE_INVARIANTS), *MACHINE_FAULTS]
        self.state_faults: dict[str, list[str]] = {name: [] for name in names}
        end_ns = spec.run.duration
        assert end_ns is not None
        self._run_slices(nr_slices, end_ns)
        clock_ns = spec.run.clock
        self.off += [(cpu, died_ns, NEVER) for cpu, died_ns in self._died_ns.items()]
        self.off = [(cpu, a + clock_ns, b + clock_ns) for cpu, a, b in self.off]

    def _run_slices(self, nr_slices: int, end_ns: int) -> None:
        k = self.kernel
        for number in range(1, nr_slices + 1):
            # At odd times, so that something is under way.
            self.machine.run(end_ns if number == nr_slices else end_ns * number // nr_slices + 1)
            for each in STATE_INVARIANTS:
                self._note(each.name, each.faults(k))
            for name, faults in MACHINE_FAULTS.items():
                self._note(name, faults(self.machine))

    def _watch_cpus(self) -> None:
        """Let the operator wait for CPUs, and note when they are off."""
        k = self.machine.kernel
        power_on = k.power_on
        k.hotplug.on_done = lambda: self._go_on(k.now_ns)

        def begin(cpu: Cpu) -> None:
            self.off.append((cpu.number, self._died_ns.pop(cpu.number), k.now_ns))
            power_on(cpu)

        k.power_on = begin

    def _operate(self, at: AtSpec, now_ns: int) -> None:
        self._typed.extend(at.commands)
        self._go_on(now_ns)

    def _go_on(self, now_ns: int) -> None:
        """Do what was typed; what is refused is refused."""
        k = self.machine.kernel
        files = files_of(System(k, tuple, tuple, str, lambda: None, {}, "nop", 0))
        self._died_ns = {
            cpu.number: self._died_ns.get(cpu.number, now_ns) for cpu in k.cpus if not cpu.is_online
        }
        while self._typed and k.hotplug.moving is None:
            command = self._typed.popleft()
            with suppress(FileError):
                files.write(command.path, command.text)

    def _note(self, name: str, faults: list[str]) -> None:
        self.state_faults[name].extend(f"at {self.kernel.now_ns} ns: {each}" for each in faults)

    def violations(self) -> list[Violation]:
        """What the log breaks of the laws over records."""
        if self._violations is None:
            self._violations = list(self._check_records())
        return self._violations

    def _check_records(self) -> Iterator[Violation]:
        k = self.kernel
        percpu = frozenset(irq for irq, desc in k.irq_desc.items() if desc.percpu)
        setting = Setting(
            release=release_number(k.release.name),
            is_rt=k.preempt_rt,
            percpu_irqs=percpu,
            has_outside=True,
            softirq_restart=k.softirq_restart,
            softirq_gap_ns=k.cost.softirq_entry,
        )
        checker = Checker(INVARIANTS, complete=True, setting=setting)
        for record in self.records:
            yield from checker.feed(record)
        yield from checker.finish()

    def lines(self) -> list[list[Driver]]:
        """The drivers of each line, in the order of the scenario."""
        lines: dict[int, list[Driver]] = {}
        for driver in self.machine.drivers.values():
            lines.setdefault(driver.desc.irq, []).append(driver)
        return list(lines.values())

    def named_by(self, *verbs: str) -> list[str]:
        """What the steps with these verbs name, all over the scenario."""
        return [
            str(step.args[0])
            for body in bodies(self.spec)
            for step in steps_of(body)
            if step.verb in verbs
        ]

    def text(self) -> str:
        """The log, as the kernel would print it."""
        return TextFormat(self.spec.kernel.release).lines(self.records)


def bodies(spec: ScenarioSpec) -> Iterator[Body]:
    """Every body of steps of a scenario."""
    for device in spec.devices:
        yield device.handler or ()
        yield device.thread or ()
    yield from (each.run for each in spec.softirqs)
    yield from (each.run for each in spec.tasklets)
    yield from (each.run for each in spec.timers)
    yield from (each.run for each in spec.hrtimers)
    yield from (each.run for each in spec.works)
    yield from (each.run for each in spec.tasks)


@cache
def run_of_seed(seed: int) -> Run:
    """The run of the scenario with this number, once."""
    return Run(spec_of_seed(seed))


def runs() -> Iterator[Run]:
    """The fixed series of runs."""
    for seed in range(NR_RUNS):
        yield run_of_seed(seed)
