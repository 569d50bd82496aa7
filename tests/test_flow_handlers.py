"""The flow handlers, each against a small interrupt controller of the tests' own.

`SoftChip` is an irq_chip in software: it keeps for each line whether it is masked and what is
latched, and writes down what it was asked.  Its output is a level line of the machine's GIC, so
that a whole machine can run behind it; or a test takes an interrupt by hand, as far as it likes,
to be in the middle of one when the next comes on another CPU.

Source: kernel/irq/chip.c, kernel/irq/handle.c; the rules are those of kernel 6.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from irqsim.events import IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT, TRACEPOINTS, Record
from irqsim.kernel.irq import manage
from irqsim.kernel.irq.handle import (
    handle_edge_irq,
    handle_fasteoi_irq,
    handle_level_irq,
    handle_percpu_devid_irq,
    handle_simple_irq,
)
from irqsim.kernel.irq.irqdesc import (
    IRQ_HANDLED,
    IRQ_NONE,
    IRQ_WAKE_THREAD,
    IRQS_PENDING,
    IRQS_REPLAY,
    IrqAction,
    IrqDesc,
)
from irqsim.kernel.irq.settings import IRQF_ONESHOT, IRQF_SHARED
from irqsim.kernel.preempt import HARDIRQ_OFFSET
from irqsim.kernel.state import Cpu, HandlerPath, Kernel, Path, Task
from irqsim.machine import Machine
from irqsim.scenario.spec import DeviceSpec, KernelSpec, MachineSpec, RunSpec, ScenarioSpec

US = 1_000
MS = 1_000_000
PARENT_SPI = 1
PARENT_HWIRQ = 33
FIRST_HWIRQ = 1_000_000
"""Beyond what the GIC has."""
PPI_HWIRQ = 20

Flow = Callable[[Kernel, Cpu, IrqDesc], Path]
Handler = Callable[[Kernel, Cpu, IrqAction], HandlerPath]


class SoftChip:
    """An interrupt controller: lines with a mask and, for edges, a latch."""

    def __init__(self, machine: Machine, can_retrigger: bool = True) -> None:
        self.name = "soft"
        self.prints_itself = self.has_eoi = self.has_set_affinity = False
        self.has_set_type = True
        self.can_retrigger = can_retrigger
        self.calls: list[str] = []
        self._machine = machine
        self._masked: dict[int, bool] = {}
        self._latched: dict[int, bool] = {}
        self._high: dict[int, bool] = {}
        self._is_level: dict[int, bool] = {}

    # What a flow handler asks.

    def irq_ack(self, cpu: Cpu, desc: IrqDesc) -> None:
        self._note("ack")
        self._latched[desc.hwirq] = False
        self._drive()

    def irq_mask(self, desc: IrqDesc) -> None:
        self._note("mask")
        self._masked[desc.hwirq] = True
        self._drive()

    def irq_unmask(self, desc: IrqDesc) -> None:
        self._note("unmask")
        self._masked[desc.hwirq] = False
        self._drive()

    def irq_eoi(self, cpu: Cpu, desc: IrqDesc) -> None:
        self._note("eoi")

    def irq_select_cpu(self, desc: IrqDesc, online: Sequence[int]) -> int:
        return online[0]

    def irq_set_affinity(self, desc: IrqDesc, cpu: int) -> None:
        """It has one output, wherever that goes."""

    def irq_retrigger(self, desc: IrqDesc) -> bool:
        self._note("retrigger")
        if self.can_retrigger:
            self._latched[desc.hwirq] = True
            self._drive()
        return self.can_retrigger

    def irq_set_type(self, desc: IrqDesc, is_level: bool) -> None:
        self._is_level[desc.hwirq] = is_level

    # What the outside world does.

    def edge(self, hwirq: int) -> None:
        """An edge: latched, masked or not."""
        self._latched[hwirq] = True
        self._drive()

    def set_level(self, hwirq: int, level: bool) -> None:
        """The wire of a level line."""
        self._high[hwirq] = level
        self._drive()

    def is_masked(self, hwirq: int) -> bool:
        return self._masked.get(hwirq, True)

    def is_ready(self, hwirq: int) -> bool:
        """Whether the line asks for service."""
        wants = self._high if self._is_level.get(hwirq) else self._latched
        return wants.get(hwirq, False) and not self.is_masked(hwirq)

    def _note(self, call: str) -> None:
        self.calls.append(call)

    def _drive(self) -> None:
        ready = any(self.is_ready(hwirq) for hwirq in self._masked)
        self._machine.gic.set_line(PARENT_HWIRQ, ready)


class Bench:
    """A machine with two CPUs, a SoftChip behind its first SPI, and lines on that."""

    def __init__(self, flow: Flow, can_retrigger: bool = True, is_level: bool = False) -> None:
        parent = DeviceSpec("parent", spi=PARENT_SPI, handler=(), affinity=(0,))
        self.records: list[Record] = []
        self.machine = Machine(
            ScenarioSpec(
                run=RunSpec(duration=20 * MS),
                machine=MachineSpec(cpus=2),
                kernel=KernelSpec(rcu=False),
                devices=(parent,),
            ),
            self.records.extend,
        )
        self.k = self.machine.kernel
        for tracepoint in TRACEPOINTS:
            self.k.trace_enabled[tracepoint.id] = True
        self.chip = SoftChip(self.machine, can_retrigger)
        self.parent = self.machine.line_of("parent")
        self.parent.handle_irq = self._chained
        self.is_level = is_level
        is_percpu = flow is handle_percpu_devid_irq
        hwirq = PPI_HWIRQ if is_percpu else FIRST_HWIRQ
        self.desc = self.k.domain.create_mapping(self.k, hwirq, self.chip, flow, is_percpu)
        self.ran: list[str] = []

    def request(
        self,
        name: str = "a",
        flags: int = 0,
        handler: Handler | None = None,
        thread: Callable[[Kernel, Task, IrqAction], HandlerPath] | None = None,
    ) -> IrqAction:
        """Install an action; without a handler it takes 10 us and says that it was its own."""
        number = len(self.desc.actions)
        action = IrqAction(
            self.k, self.desc.irq, name, flags, number, handler or self.handler(), thread
        )
        refusal = manage.setup_irq(self.k, self.desc, action, self.is_level)
        assert refusal is None
        self.chip.calls.clear()
        return action

    def handler(self, result: int = IRQ_HANDLED, quiets: bool = True) -> Handler:
        """A handler that takes 10 us; one that quiets lowers the wire first."""

        def path(k: Kernel, cpu: Cpu, action: IrqAction) -> HandlerPath:
            self.ran.append(f"{action.name} on CPU {cpu.number}")
            if quiets and self.is_level:
                self.chip.set_level(FIRST_HWIRQ, False)
            yield 10 * US
            return result

        return path

    # By hand.

    def begin(self, number: int = 0) -> Path:
        """Take the line's interrupt on a CPU, up to the middle of the first handler."""
        cpu = self.k.cpus[number]
        cpu.irqs_disabled = True
        cpu.preempt_count += HARDIRQ_OFFSET
        path = self.desc.handle_irq(self.k, cpu, self.desc)
        while next(path, None) not in (10 * US, None):
            pass
        return path

    def end(self, path: Path, number: int = 0) -> None:
        """Go on to the end, and leave the interrupt."""
        for _ in path:
            pass
        cpu = self.k.cpus[number]
        cpu.preempt_count -= HARDIRQ_OFFSET
        cpu.irqs_disabled = False

    def take(self, number: int = 0) -> None:
        """Take the line's interrupt from its beginning to its end."""
        self.end(self.begin(number), number)

    # By the machine.

    def at(self, time_us: int, action: Callable[[], None]) -> None:
        """Have something happen while the machine runs."""
        self.k.queue.schedule(time_us * US, lambda now_ns: action())

    def run(self) -> list[tuple[int, str]]:
        """Run the machine: when handlers of the line began and ended, in us."""
        self.machine.run()
        return [
            (time_ns // US, "entry" if event.tracepoint is IRQ_HANDLER_ENTRY else "exit")
            for time_ns, _, event in self.records
            if event.tracepoint in (IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT)
            and event.values[0] == self.desc.irq
        ]

    def _chained(self, k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
        """A chained handler: serve what is ready, then end the parent's interrupt.

        Source: drivers/irqchip: chained_irq_enter, generic_handle_domain_irq.
        """
        if self.chip.is_ready(FIRST_HWIRQ):
            yield from self.desc.handle_irq(k, cpu, self.desc)
        desc.chip.irq_eoi(cpu, desc)

    def state(self) -> tuple[bool, bool]:
        """Whether something is remembered, and whether the line is masked."""
        return bool(self.desc.istate & IRQS_PENDING), self.desc.masked


FLOWS = {
    "level": (handle_level_irq, ["mask", "ack", "unmask"]),
    "edge": (handle_edge_irq, ["ack"]),
    "simple": (handle_simple_irq, []),
    "fasteoi": (handle_fasteoi_irq, ["eoi"]),
    "percpu_devid": (handle_percpu_devid_irq, ["ack", "eoi"]),
}


@pytest.mark.parametrize("name", FLOWS)
def test_the_chip_is_asked_in_this_order(name: str) -> None:
    """An interrupt that is handled: what the controller is asked, and what is counted."""
    flow, calls = FLOWS[name]
    bench = Bench(flow, is_level=name == "level")
    bench.request()
    bench.take(1)
    assert bench.chip.calls == calls
    assert bench.ran == ["a on CPU 1"]
    assert bench.desc.kstat_irqs == [0, 1]
    assert bench.state() == (False, False)
    assert not bench.desc.inprogress


@pytest.mark.parametrize("name", ["level", "edge", "simple", "fasteoi"])
def test_every_action_runs_whatever_the_first_says(name: str) -> None:
    """A shared line: all handlers, in the order of their requests."""
    bench = Bench(FLOWS[name][0], is_level=name == "level")
    for action, result in (("a", IRQ_HANDLED), ("b", IRQ_NONE), ("c", IRQ_HANDLED)):
        bench.request(action, IRQF_SHARED, bench.handler(result))
    bench.take()
    assert bench.ran == ["a on CPU 0", "b on CPU 0", "c on CPU 0"]
    assert bench.desc.kstat_irqs == [1, 0]


DISABLED = {
    "level": (["mask", "ack"], True, True),
    "edge": (["mask", "ack"], True, True),
    "simple": ([], True, False),
    "fasteoi": (["mask", "eoi"], True, True),
}


@pytest.mark.parametrize("name", DISABLED)
def test_a_disabled_line_is_masked_when_it_fires(name: str) -> None:
    """Lazy disabling: nothing runs, nothing is counted, the interrupt is remembered."""
    calls, is_pending, is_masked = DISABLED[name]
    bench = Bench(FLOWS[name][0], is_level=name == "level")
    bench.request()
    manage.disable_irq_nosync(bench.desc)
    assert bench.chip.calls == []
    bench.take()
    assert bench.chip.calls == calls
    assert bench.ran == []
    assert bench.desc.kstat_irqs == [0, 0]
    assert bench.state() == (is_pending, is_masked)


@pytest.mark.parametrize("name", DISABLED)
def test_a_line_without_actions_is_masked_when_it_fires(name: str) -> None:
    """As a disabled one: its last action has been freed."""
    calls, is_pending, is_masked = DISABLED[name]
    bench = Bench(FLOWS[name][0], is_level=name == "level")
    bench.request()
    bench.desc.actions = ()
    bench.take()
    assert bench.chip.calls == calls
    assert bench.state() == (is_pending, is_masked)


def test_enabling_replays_what_an_edge_line_remembers() -> None:
    """The controller is asked to raise it again, once; the next interrupt ends the replay."""
    bench = Bench(handle_edge_irq)
    bench.request()
    manage.disable_irq_nosync(bench.desc)
    bench.take()
    bench.take()
    bench.chip.calls.clear()
    manage.enable_irq(bench.k, bench.k.cpus[0], bench.desc)
    assert bench.chip.calls == ["unmask", "retrigger"]
    assert bench.desc.istate & (IRQS_PENDING | IRQS_REPLAY) == IRQS_REPLAY
    assert bench.chip.is_ready(FIRST_HWIRQ)
    bench.take()
    assert not bench.desc.istate & IRQS_REPLAY
    assert bench.ran == ["a on CPU 0"]


def test_enabling_a_level_line_only_unmasks_it() -> None:
    """A level asks again by itself: what was remembered is dropped.

    Source: kernel/irq/resend.c: check_irq_resend.
    """
    bench = Bench(handle_level_irq, is_level=True)
    bench.request()
    manage.disable_irq_nosync(bench.desc)
    bench.take()
    bench.chip.calls.clear()
    manage.enable_irq(bench.k, bench.k.cpus[0], bench.desc)
    assert bench.chip.calls == ["unmask"]
    assert bench.state() == (False, False)


# -- an arrival while the line is in progress on another CPU -----------------------------


def test_level_in_progress_elsewhere_stays_masked_until_the_first_is_done() -> None:
    """The second CPU masks and acknowledges, remembers nothing; the first one unmasks."""
    bench = Bench(handle_level_irq, is_level=True)
    bench.request()
    first = bench.begin(0)
    bench.take(1)
    assert bench.chip.calls == ["mask", "ack", "ack"]
    assert bench.state() == (False, True)
    bench.end(first, 0)
    assert bench.chip.calls == ["mask", "ack", "ack", "unmask"]
    assert bench.ran == ["a on CPU 0"]
    assert bench.desc.kstat_irqs == [1, 0]


def test_edge_in_progress_elsewhere_is_replayed_once_by_the_first() -> None:
    """The second CPU masks and remembers; the first unmasks and goes round once more.

    Two arrivals are one replay, and only what passed the flow handler is counted.
    """
    bench = Bench(handle_edge_irq)
    bench.request()
    first = bench.begin(0)
    bench.take(1)
    bench.take(1)
    assert bench.chip.calls == ["ack", "mask", "ack", "ack"]
    assert bench.state() == (True, True)
    bench.end(first, 0)
    assert bench.chip.calls == ["ack", "mask", "ack", "ack", "unmask"]
    assert bench.ran == ["a on CPU 0", "a on CPU 0"]
    assert bench.desc.kstat_irqs == [1, 0]
    assert bench.state() == (False, False)


def test_edge_replay_unmasks_a_oneshot_line_too() -> None:
    """Whether a thread is to run plays no part in the replay."""
    bench = Bench(handle_edge_irq)
    bench.request("a", IRQF_ONESHOT, waking(bench), thread_of(bench, []))
    first = bench.begin(0)
    bench.take(1)
    bench.end(first, 0)
    assert bench.ran == ["a on CPU 0", "a on CPU 0"]
    assert bench.chip.calls == ["ack", "mask", "ack", "unmask"]
    assert bench.desc.threads_oneshot == 1


def test_edge_that_is_disabled_meanwhile_is_not_replayed_by_the_first() -> None:
    """A handler that disables its line: the edge stays remembered for enable_irq()."""
    bench = Bench(handle_edge_irq)
    bench.request()
    first = bench.begin(0)
    bench.take(1)
    manage.disable_irq_nosync(bench.desc)
    bench.end(first, 0)
    assert bench.ran == ["a on CPU 0"]
    assert bench.state() == (True, True)
    manage.enable_irq(bench.k, bench.k.cpus[0], bench.desc)
    assert bench.chip.calls[-2:] == ["unmask", "retrigger"]


def test_edge_whose_last_action_is_freed_meanwhile_stays_masked() -> None:
    """The round that finds no action masks the line and ends."""
    bench = Bench(handle_edge_irq)
    bench.request()
    first = bench.begin(0)
    bench.take(1)
    bench.desc.actions = ()
    bench.end(first, 0)
    assert bench.ran == ["a on CPU 0"]
    assert bench.desc.masked


def test_fasteoi_in_progress_elsewhere_is_only_ended() -> None:
    """The second CPU writes its EOI and nothing else; nothing is remembered (before 6.5)."""
    bench = Bench(handle_fasteoi_irq)
    bench.request()
    first = bench.begin(0)
    bench.take(1)
    assert bench.chip.calls == ["eoi"]
    assert bench.state() == (False, False)
    bench.end(first, 0)
    assert bench.chip.calls == ["eoi", "eoi"]
    assert bench.ran == ["a on CPU 0"]


def test_simple_in_progress_elsewhere_is_dropped() -> None:
    bench = Bench(handle_simple_irq)
    bench.request()
    first = bench.begin(0)
    bench.take(1)
    bench.end(first, 0)
    assert bench.chip.calls == []
    assert bench.ran == ["a on CPU 0"]
    assert bench.state() == (False, False)


def test_percpu_interrupts_run_on_two_cpus_at_once() -> None:
    """No lock, no INPROGRESS: each CPU has its own."""
    bench = Bench(handle_percpu_devid_irq)
    bench.request()
    first = bench.begin(0)
    second = bench.begin(1)
    assert not bench.desc.inprogress
    bench.end(second, 1)
    bench.end(first, 0)
    assert bench.ran == ["a on CPU 0", "a on CPU 1"]
    assert bench.desc.kstat_irqs == [1, 1]


def test_a_percpu_interrupt_without_action_is_disabled_and_reported() -> None:
    """Counted all the same, and reported once."""
    bench = Bench(handle_percpu_devid_irq)
    bench.take(1)
    bench.take(1)
    assert bench.chip.calls[-1] == "eoi"
    assert bench.desc.kstat_irqs == [0, 2]
    said = [text for _, _, text in bench.k.dmesg]
    assert said == [f"Spurious and unmasked percpu IRQ{bench.desc.irq} on CPU1"]


# -- one-shot lines and threads ----------------------------------------------------------


def waking(bench: Bench) -> Handler:
    return bench.handler(IRQ_WAKE_THREAD, quiets=False)


def thread_of(bench: Bench, ran: list[str]) -> Callable[[Kernel, Task, IrqAction], HandlerPath]:
    """A thread function that takes 50 us and then lowers the wire."""

    def path(k: Kernel, task: Task, action: IrqAction) -> HandlerPath:
        ran.append(action.name)
        yield 50 * US
        bench.chip.set_level(FIRST_HWIRQ, False)
        return IRQ_HANDLED

    return path


@pytest.mark.parametrize("name", ["level", "fasteoi"])
def test_a_oneshot_line_stays_masked_until_its_thread_is_done(name: str) -> None:
    """By hand: masked behind the handler, whatever the flow."""
    bench = Bench(FLOWS[name][0], is_level=True)
    bench.request("a", IRQF_ONESHOT, waking(bench), thread_of(bench, []))
    bench.take()
    expected = {"level": ["mask", "ack"], "fasteoi": ["mask", "eoi"]}
    assert bench.chip.calls == expected[name]
    assert bench.desc.masked
    assert bench.desc.threads_oneshot == 1
    assert bench.desc.threads_active == 1


@pytest.mark.parametrize("name", ["level", "fasteoi"])
def test_the_thread_of_a_oneshot_line_unmasks_it(name: str) -> None:
    """In a machine: one interrupt, however long the wire is high before the thread is done."""
    bench = Bench(FLOWS[name][0], is_level=True)
    ran: list[str] = []
    bench.request("a", IRQF_ONESHOT, waking(bench), thread_of(bench, ran))
    for time_us in (1000, 3000):
        bench.at(time_us, lambda: bench.chip.set_level(FIRST_HWIRQ, True))
    assert [what for _, what in bench.run()] == ["entry", "exit"] * 2
    assert ran == ["a", "a"]
    assert not bench.desc.masked
    assert bench.desc.threads_oneshot == 0


def test_the_last_thread_of_a_shared_oneshot_line_unmasks_it() -> None:
    """Each thread has a bit; the line opens when none is left."""
    bench = Bench(handle_level_irq, is_level=True)
    ran: list[str] = []
    flags = IRQF_ONESHOT | IRQF_SHARED
    actions = [
        bench.request(name, flags, waking(bench), thread_of(bench, ran)) for name in ("a", "b")
    ]
    assert [action.thread_mask for action in actions] == [1, 2]
    bench.at(1000, lambda: bench.chip.set_level(FIRST_HWIRQ, True))
    bench.run()
    assert sorted(ran) == ["a", "b"]
    assert bench.chip.calls.count("unmask") == 1
    assert bench.desc.threads_oneshot == 0


def test_a_level_line_that_is_not_oneshot_opens_behind_its_handler() -> None:
    """A thread beside it holds nothing back: its bit stays out of the count.

    Source: kernel/irq/manage.c: __setup_irq: thread_mask of IRQF_ONESHOT actions only.
    """
    bench = Bench(handle_level_irq, is_level=True)
    action = bench.request("a", 0, bench.handler(IRQ_WAKE_THREAD), thread_of(bench, []))
    assert action.thread_mask == 0
    for time_us in (1000, 3000):
        bench.at(time_us, lambda: bench.chip.set_level(FIRST_HWIRQ, True))
    assert [what for _, what in bench.run()] == ["entry", "exit"] * 2
    assert not bench.desc.masked


# -- in a running machine ----------------------------------------------------------------


def test_a_level_line_is_served_while_it_is_high() -> None:
    """A handler that does not quiet its device is called again and again."""
    bench = Bench(handle_level_irq, is_level=True)
    bench.request("a", 0, bench.handler(quiets=False))
    bench.at(1000, lambda: bench.chip.set_level(FIRST_HWIRQ, True))
    bench.at(1200, lambda: bench.chip.set_level(FIRST_HWIRQ, False))
    entries = [time_us for time_us, what in bench.run() if what == "entry"]
    assert len(entries) > 5
    assert 1000 < entries[0] < 1010
    assert 1180 < entries[-1] < 1215


def test_an_edge_during_its_handler_is_one_more_interrupt() -> None:
    """Acknowledged first, so that the latch can take the next; two edges are one."""
    bench = Bench(handle_edge_irq)
    bench.request()
    for time_us in (1000, 1005, 1008, 2000):
        bench.at(time_us, lambda: bench.chip.edge(FIRST_HWIRQ))
    assert [what for _, what in bench.run()] == ["entry", "exit"] * 3
    assert bench.desc.kstat_irqs == [3, 0]


def test_a_disabled_line_runs_once_when_it_is_enabled() -> None:
    """Three edges while it is disabled: one run, at enable_irq()."""
    bench = Bench(handle_edge_irq)
    bench.request()
    bench.at(500, lambda: manage.disable_irq_nosync(bench.desc))
    for time_us in (1000, 1500, 1700):
        bench.at(time_us, lambda: bench.chip.edge(FIRST_HWIRQ))
    bench.at(3000, lambda: manage.enable_irq(bench.k, bench.k.cpus[0], bench.desc))
    times = bench.run()
    assert [what for _, what in times] == ["entry", "exit"]
    assert 3000 <= times[0][0] < 3010


def test_a_line_that_cannot_be_made_pending_waits_for_the_tasklet() -> None:
    """The chip is asked first; what it cannot do is left to resend_tasklet, once.

    Source: kernel/irq/resend.c: check_irq_resend, irq_sw_resend.
    """
    bench = Bench(handle_edge_irq, can_retrigger=False)
    bench.request()
    bench.at(500, lambda: manage.disable_irq_nosync(bench.desc))
    bench.at(1000, lambda: bench.chip.edge(FIRST_HWIRQ))
    bench.at(3000, lambda: manage.enable_irq(bench.k, bench.k.cpus[0], bench.desc))
    assert bench.run() == []
    assert bench.chip.calls[-2:] == ["unmask", "retrigger"]
    assert bench.desc.istate & (IRQS_PENDING | IRQS_REPLAY) == IRQS_REPLAY
    assert bench.k.resend.descs == [bench.desc]
    for _ in bench.k.resend.tasklet.function(bench.k, bench.k.cpus[0]):
        pass
    assert bench.ran == ["a on CPU 0"]
    assert (bench.k.resend.descs, bench.desc.istate & IRQS_REPLAY) == ([], 0)
