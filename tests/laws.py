"""Every law that a run must keep, in one list.

The laws over records and over states are `irqsim.analysis`'s; here are those that need to know
the scenario or the hardware as well.  The property tests and the mutants go through `LAWS`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from attrs import frozen

from irqsim.analysis.check import INVARIANTS
from irqsim.analysis.counts import Tally, count_faults
from irqsim.analysis.state import STATE_INVARIANTS
from irqsim.events import (
    CPU_IDLE,
    HARDIRQ,
    IRQ_HANDLER_ENTRY,
    PRINT,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    SOFTIRQ_RAISE,
    TASK_DEAD,
    TASKLET_ENTRY,
    TASKLET_EXIT,
    WORKQUEUE_EXECUTE_END,
    WORKQUEUE_EXECUTE_START,
    Context,
    Event,
    Tracepoint,
)
from irqsim.hw.bcm2836 import Armctrl, Local
from irqsim.hw.device import Line
from irqsim.hw.gic import Gic
from irqsim.hw.gpio import Gpio
from irqsim.hw.intid import SPI_BASE
from irqsim.kernel.irq.irqdesc import IRQS_PENDING, IrqDesc
from irqsim.kernel.preempt import HARDIRQ_MASK, SOFTIRQ_OFFSET
from irqsim.scenario.driver import Driver
from irqsim.scenario.spec import Repeat, Step
from irqsim.units import Duration
from tests.marked_laws import (
    calls_handlers,
    excused,
    faults_of_arrivals,
    faults_of_bottom_halves,
    faults_of_interrupt_context,
    faults_of_polls,
    faults_of_threaded_lines,
    faults_of_works,
    faults_of_works_beside,
)
from tests.runs import Run, bodies

PMR: Final = 0xF0
NR_SOFTIRQS: Final = 10
MANAGING: Final = (
    "disable_irq", "disable_irq_nosync", "enable_irq", "free_irq", "request_irq",
)  # fmt: skip


@frozen
class Law:
    """A law over a run: `faults` says where it does not hold."""

    name: str
    law: str
    source: str
    faults: Callable[[Run], list[str]]


def _trace_faults(name: str, run: Run) -> list[str]:
    found = [each for each in run.violations() if each.name == name]
    return [str(each) for each in found if not excused(run, each)]


def _state_faults(name: str, run: Run) -> list[str]:
    return run.state_faults[name]


def faults_of_counts(run: Run) -> list[str]:
    """Compare kstat_irqs and kstat_softirqs with the log."""
    k = run.kernel
    vectors = [[cpu.kstat_softirqs[vec] for cpu in k.cpus] for vec in range(NR_SOFTIRQS)]
    # A nested interrupt is counted, and has no line in the log.
    irqs = {irq: desc.kstat_irqs for irq, desc in k.irq_desc.items() if not desc.is_nested}
    if calls_handlers(run):
        # Who polls a line calls its handlers, and counts no interrupt.
        irqs = {}
    return count_faults(Tally(run.records), irqs, vectors)


def faults_of_active(run: Run) -> list[str]:
    """What the watched controller noticed."""
    return [] if run.gic is None else run.gic.faults


def faults_of_eoi(run: Run) -> list[str]:
    """Compare what is active in the controller with what has been acknowledged and not ended."""
    return [] if run.gic is None else run.gic.faults_of_active()


# -- lines -------------------------------------------------------------------------------


def _is_managed(run: Run, drivers: list[Driver]) -> bool:
    """Whether code may disable, free or request the line."""
    named = run.named_by(*MANAGING)
    return any(driver.spec.name in named or not driver.spec.probe for driver in drivers)


def _parent(run: Run, driver: Driver) -> IrqDesc | None:
    """The line behind which a driver's GPIO controller is; None if it is on none, or nested."""
    if driver.spec.gpio is None or driver.desc.is_nested:
        return None
    gpio = run.machine.gpios[driver.spec.gpio[0]].spec
    return run.kernel.domain.descs[SPI_BASE + (gpio.spi or 0)]


def _is_pending(run: Run, driver: Driver, line: Line) -> bool:
    """Whether an edge is kept in a controller, or in what a thread has read of it."""
    wires = line.wires
    if driver.desc.is_nested and driver.spec.gpio is not None:
        found = run.machine.gpios[driver.spec.gpio[0]].chip.found
        if found >> line.intid & 1:
            return True
    assert isinstance(wires, Gic | Gpio)
    return wires.is_pending(line.intid, line.pe)


def _is_waiting(run: Run, driver: Driver, pe: int) -> str:
    """Why an asserted line is not being served at the end; nothing if there is no reason."""
    desc, parent = driver.desc, _parent(run, driver)
    if desc.irqs_disabled or desc.masked or not desc.actions:
        return "disabled, masked or free"
    if desc.is_nested:
        return "its controller's thread serves it"
    if parent is not None:
        desc, pe = parent, parent.effective_cpu
    cpu = run.kernel.cpus[pe]
    if not cpu.is_online:
        return "the CPU is off"
    if run.gic is not None and run.gic.is_active(desc.hwirq, pe):
        return "active"
    if cpu.irqs_disabled or cpu.preempt_count & HARDIRQ_MASK or len(cpu.frames) > 1:
        return "interrupts are off"
    if cpu.due_ns <= run.kernel.now_ns:
        return "this instant"
    return ""


def faults_of_levels(run: Run) -> list[str]:
    """Look at the wires of level lines, and at those that are high and not served."""
    faults = []
    for drivers in run.lines():
        desc = drivers[0].desc
        for line in drivers[0].device.lines:
            if line.is_edge:
                continue
            wants = any(each.wants[line.pe] and not each.is_masked for each in line.devices)
            pe = line.pe if desc.percpu else desc.effective_cpu
            wires = line.wires
            assert isinstance(wires, Gic | Gpio | Local | Armctrl)
            if wires.line(line.intid, line.pe) != wants:
                faults.append(f"irq {desc.irq}: wanted {wants}, but the wire is {not wants}")
            elif wants and not _is_waiting(run, drivers[0], pe):
                faults.append(f"irq {desc.irq} is asserted, and CPU {pe} does not serve it")
    return faults


def faults_of_edges(run: Run) -> list[str]:
    """Compare the edges that came with the times that the line's first action ran."""
    tally = Tally(run.records)
    faults: list[str] = []
    if calls_handlers(run):
        return faults
    for drivers in run.lines():
        desc, lines = drivers[0].desc, drivers[0].device.lines
        is_nic = any(nic.device is driver.device for nic in run.machine.nics.values()
                     for driver in drivers)  # fmt: skip
        if not lines[0].is_edge or is_nic:
            continue
        came = sum(driver.device.nr_arrivals for driver in drivers) * len(lines)
        merged = sum(driver.device.nr_merged for driver in drivers)
        pending = sum(_is_pending(run, drivers[0], line) for line in lines)
        ran = sum(tally.bounds(desc.irq, cpu.number)[0] for cpu in run.kernel.cpus)
        if desc.is_nested:
            ran = desc.tot_count
        if _is_managed(run, drivers):
            if ran > came - merged:
                faults.append(f"irq {desc.irq}: {came} edges, {merged} merged, but {ran} runs")
        elif ran != came - merged - pending:
            faults.append(
                f"irq {desc.irq}: {came} edges, {merged} merged, {pending} pending, {ran} runs"
            )
    return faults


def faults_of_last_edges(run: Run) -> list[str]:
    """Look for lines whose last edge was followed by no run of a handler."""
    last_entry_ns: dict[tuple[int, int], int] = {}
    for time_ns, context, event in run.records:
        if event.tracepoint is IRQ_HANDLER_ENTRY:
            irq = event.values[0]
            assert isinstance(irq, int)
            last_entry_ns[irq, context.cpu] = time_ns - run.kernel.trace_clock_ns
    faults = []
    for drivers in run.lines():
        desc = drivers[0].desc
        for line in drivers[0].device.lines:
            if not line.is_edge or run.gic is None or line.wires is not run.gic:
                continue
            edge_ns = run.gic.last_pulse_ns.get((desc.hwirq, line.pe))
            if edge_ns is None:
                continue
            cpus = [line.pe] if desc.percpu else [cpu.number for cpu in run.kernel.cpus]
            ran_ns = max(last_entry_ns.get((desc.irq, cpu), -1) for cpu in cpus)
            is_kept = run.gic.is_pending(desc.hwirq, line.pe) or desc.istate & IRQS_PENDING
            is_free = not desc.actions or run.named_by("free_irq")
            if ran_ns < edge_ns and not is_kept and not is_free:
                faults.append(f"irq {desc.irq}: an edge at {edge_ns} ns, last run at {ran_ns} ns")
    return faults


def faults_of_shared_lines(run: Run) -> list[str]:
    """Follow each CPU through the actions of its lines."""
    expected: dict[int, list[str]] = {
        drivers[0].desc.irq: [driver.spec.name for driver in drivers]
        for drivers in run.lines()
        if not run.named_by("free_irq", "request_irq")
    }
    place: dict[int, tuple[int, int]] = {}
    faults = []
    for time_ns, context, event in run.records:
        if event.tracepoint is not IRQ_HANDLER_ENTRY:
            continue
        irq, name = event.values
        assert isinstance(irq, int)
        cpu = context.cpu
        open_irq, index = place.get(cpu, (irq, 0))
        names = expected.get(irq, [str(name)])
        if open_irq != irq:
            faults.append(f"{time_ns} ns: irq {irq} among the actions of irq {open_irq}")
            index = 0
        if names[index] != name:
            faults.append(f"{time_ns} ns: irq {irq} runs {name} where {names[index]} is due")
            index = names.index(str(name)) if name in names else 0
        if index + 1 < len(names):
            place[cpu] = (irq, index + 1)
        else:
            place.pop(cpu, None)
    return faults


def _while_stopped(run: Run, tracepoint: Tracepoint, position: int) -> list[str]:
    """What happened to a name between its marks `stop NAME` and `go NAME`."""
    stops: dict[str, int] = {}
    faults = []
    for time_ns, _, event in run.records:
        if event.tracepoint is PRINT:
            verb, _, name = str(event.values[1]).partition(" ")
            if verb in ("stop", "go"):
                stops[name] = stops.get(name, 0) + (1 if verb == "stop" else -1)
        elif event.tracepoint is tracepoint and stops.get(str(event.values[position])):
            faults.append(f"{time_ns} ns: {event}")
    return faults


def faults_of_disabled_lines(run: Run) -> list[str]:
    """Look for handlers that begin while their line is disabled."""
    # disable_irq() says nothing of per-CPU lines.
    sole = [
        drivers[0].spec.name
        for drivers in run.lines()
        if len(drivers) == 1 and not drivers[0].desc.percpu
    ]
    # Where each enabling has its disabling beside it, none of another place ends it early.
    other = [*run.named_by("free_irq"), *_enabled_alone(run)]
    names = [f"name='{name}'" for name in sole if name not in other]
    found = [] if calls_handlers(run) else _while_stopped(run, IRQ_HANDLER_ENTRY, 1)
    return [each for each in found if any(name in each for name in names)]


def _enabled_alone(run: Run) -> list[str]:
    """What enable_irq() names where no mark `go NAME` stands before it."""
    found = []
    waiting = list(bodies(run.spec))
    while waiting:
        body = waiting.pop()
        for before, item in zip((None, *body), body, strict=False):
            if not isinstance(item, Step):
                waiting.append(item.body)
                if not isinstance(item, Repeat):
                    waiting.append(item.otherwise)
            elif item.verb == "enable_irq" and before != Step(
                "trace_printk", (f"go {item.args[0]}",)
            ):
                found.append(str(item.args[0]))
    return found


def faults_of_places(run: Run) -> list[str]:
    """Look for lines that are served elsewhere than on the CPU that their affinity gives."""
    if run.spec.ats or calls_handlers(run):
        return []
    moved = run.named_by("irq_set_affinity")
    expected = {
        drivers[0].desc.irq: drivers[0].desc.affinity[0]
        for drivers in run.lines()
        if not drivers[0].desc.percpu
        and drivers[0].desc.chip.has_set_affinity
        and not any(each.spec.name in moved for each in drivers)
    }
    faults = []
    for time_ns, context, event in run.records:
        if event.tracepoint is IRQ_HANDLER_ENTRY:
            irq = event.values[0]
            assert isinstance(irq, int)
            if expected.get(irq, context.cpu) != context.cpu:
                faults.append(f"{time_ns} ns: irq {irq} on CPU {context.cpu}")
    return faults


# -- softirqs and tasklets ---------------------------------------------------------------


class Takeovers:
    """Follows a log: which CPU died, and who takes over what it has left."""

    def __init__(self, run: Run) -> None:
        self._deaths = sorted((died_ns, cpu) for cpu, died_ns, _ in run.off)
        self._pid = -1
        self.dead = -1
        """The CPU whose things are not taken over yet; -1 for none."""

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        """Take in a record: it may be behind a `death`, a `raise` of a takeover, or its `end`."""
        if event.tracepoint is WORKQUEUE_EXECUTE_START and event.values[1] == "work_for_cpu_fn":
            self._pid = context.pid
        if self._deaths and self._deaths[0][0] <= time_ns:
            self.dead = self._deaths.pop(0)[1]
            return "death"
        if context.pid != self._pid or self.dead < 0 or context.flags & (HARDIRQ | SOFTIRQ):
            return ""
        if event.tracepoint is WORKQUEUE_EXECUTE_END:
            self._pid = -1
            return "end"
        return "raise" if event.tracepoint is SOFTIRQ_RAISE else ""


def faults_of_raised(run: Run) -> list[str]:
    """Look for vectors that were raised, have not run since, and are forgotten."""
    raised = [0] * len(run.kernel.cpus)
    takeovers = Takeovers(run)
    left, faults = 0, []
    for time_ns, context, event in run.records:
        what = takeovers.step(time_ns, context, event)
        if what == "death":
            left, raised[takeovers.dead] = raised[takeovers.dead], 0
        elif what == "end" and left:
            faults.append(f"{time_ns} ns: {left:#x} of CPU {takeovers.dead} are forgotten")
        if event.tracepoint in (SOFTIRQ_RAISE, SOFTIRQ_ENTRY):
            vec = event.values[0]
            assert isinstance(vec, int)
            if event.tracepoint is SOFTIRQ_RAISE:
                raised[context.cpu] |= 1 << vec
            else:
                raised[context.cpu] &= ~(1 << vec)
            if what == "raise":
                left &= ~(1 << vec)
    for cpu in run.kernel.cpus:
        forgotten = raised[cpu.number] & ~(cpu.softirq_pending | cpu.pending_timer_softirq)
        # One that is in the snapshot of a pass under way will run.
        if forgotten and not cpu.preempt_count & SOFTIRQ_OFFSET:
            faults.append(f"CPU {cpu.number}: {forgotten:#x} were raised and forgotten")
    return faults


class TaskletModel:
    """The queues of tasklets as kernel/softirq.c describes them, followed through a log.

    A mark in the log, `queue NAME VEC`, stands before each call of tasklet_schedule().
    """

    def __init__(self, run: Run) -> None:
        self.queues: dict[tuple[int, int], list[str]] = {}
        self.batches: dict[int, list[str]] = {}
        self.vec: dict[int, int] = {}
        self.is_queued: dict[str, bool] = {}
        self.is_running: dict[str, bool] = {}
        self.nr_seen = 0
        self.begun: dict[int, int] = {}
        """When the vector began, by CPU, counted in records."""
        self.left: dict[str, int] = {}
        """When a tasklet's last run ended."""
        self.may_be_disabled = {
            *(each.name for each in run.spec.tasklets if each.disabled),
            *run.named_by("tasklet_disable"),
        }
        self.faults: list[str] = []

    def queue(self, cpu: int, name: str, vec: int) -> None:
        if not self.is_queued.get(name):
            self.is_queued[name] = True
            self.queues.setdefault((cpu, vec), []).append(name)

    def take_over(self, dead: int, cpu: int, vec: int) -> None:
        names = self.queues.pop((dead, vec), [])
        if names:
            self.queues.setdefault((cpu, vec), []).extend(names)

    def begin(self, cpu: int, vec: int) -> None:
        self.vec[cpu] = vec
        self.begun[cpu] = self.nr_seen
        self.batches[cpu] = self.queues.pop((cpu, vec), [])

    def enter(self, cpu: int, name: str) -> None:
        batch = self.batches.get(cpu, [])
        if name not in batch:
            self.faults.append(f"CPU {cpu}: {name} runs, but was not queued; queued: {batch}")
            return
        while batch[0] != name:
            self._pass_over(cpu, batch.pop(0))
        batch.pop(0)
        self.is_queued[name], self.is_running[name] = False, True

    def leave(self, name: str) -> None:
        self.is_running[name] = False
        self.left[name] = self.nr_seen

    def end(self, cpu: int) -> None:
        for name in self.batches.pop(cpu, []):
            self._pass_over(cpu, name)

    def _pass_over(self, cpu: int, name: str) -> None:
        # It may have run elsewhere when it was looked at, and have ended since.
        ran = self.is_running.get(name) or self.left.get(name, -1) >= self.begun[cpu]
        if name not in self.may_be_disabled and not ran:
            self.faults.append(f"CPU {cpu}: {name} was passed over, though it could have run")
        self.queues.setdefault((cpu, self.vec[cpu]), []).append(name)


def faults_of_disabled_tasklets(run: Run) -> list[str]:
    """Look for tasklets that begin while they are disabled."""
    enabled = run.named_by("tasklet_enable")
    never = [each.name for each in run.spec.tasklets if each.disabled and each.name not in enabled]
    faults = _while_stopped(run, TASKLET_ENTRY, 1)
    for time_ns, _, event in run.records:
        if event.tracepoint is TASKLET_ENTRY and event.values[1] in never:
            faults.append(f"{time_ns} ns: {event.values[1]}, which nobody has enabled")
    return faults


def faults_of_tasklet_order(run: Run) -> list[str]:
    """Compare the runs of tasklets with a model of their queues."""
    if run.named_by("tasklet_kill"):
        return []
    model, takeovers = TaskletModel(run), Takeovers(run)
    for time_ns, context, event in run.records:
        cpu, tracepoint = context.cpu, event.tracepoint
        model.nr_seen += 1
        if takeovers.step(time_ns, context, event) == "raise":
            model.take_over(takeovers.dead, cpu, int(str(event.values[0])))
        if tracepoint is PRINT:
            words = str(event.values[1]).split()
            if words[0] == "queue":
                model.queue(cpu, words[1], int(words[2]))
        elif tracepoint is SOFTIRQ_ENTRY and event.values[0] in (0, 6):
            model.begin(cpu, int(str(event.values[0])))
        elif tracepoint is SOFTIRQ_EXIT and event.values[0] in (0, 6):
            model.end(cpu)
        elif tracepoint in (TASKLET_ENTRY, TASKLET_EXIT) and event.values[1] == "resend_irqs":
            # The kernel's own, of which no mark tells when it was queued.
            continue
        elif tracepoint is TASKLET_ENTRY:
            model.enter(cpu, str(event.values[1]))
        elif tracepoint is TASKLET_EXIT:
            model.leave(str(event.values[1]))
    for (number, vec), names in model.queues.items():
        state = run.kernel.cpus[number]
        # Its vector is pending, or about to run.
        if names and not (state.softirq_pending >> vec & 1 or state.preempt_count & SOFTIRQ_OFFSET):
            model.faults.append(f"CPU {number}: {names} are queued, but vec {vec} is not pending")
    return model.faults


# -- CPUs that go and come ---------------------------------------------------------------


def faults_of_silence(run: Run) -> list[str]:
    """Look for records of CPUs that are off."""
    return [
        f"{time_ns} ns: {event} on CPU {context.cpu}"
        for cpu, died_ns, back_ns in run.off
        for time_ns, context, event in run.records
        if context.cpu == cpu and died_ns < time_ns < back_ns
    ]


# -- locks -------------------------------------------------------------------------------


def faults_of_locks(run: Run) -> list[str]:
    """Look for locks with two holders, by the marks `hold NAME` and `drop NAME`."""
    holders: dict[str, str] = {}
    faults = []
    for time_ns, context, event in run.records:
        if event.tracepoint is not PRINT:
            continue
        verb, _, name = str(event.values[1]).partition(" ")
        who = f"{context.comm}-{context.pid} on CPU {context.cpu}"
        if verb == "hold":
            if name in holders:
                faults.append(f"{time_ns} ns: {who} holds {name}, and so does {holders[name]}")
            holders[name] = who
        elif verb == "drop":
            holders.pop(name, None)
    return faults


# -- time --------------------------------------------------------------------------------


def faults_of_instants(run: Run) -> list[str]:
    """Look for records of one instant that are not in ascending order of their CPUs."""
    faults = []
    last_ns, last_cpu = -1, -1
    for time_ns, context, event in run.records:
        if event.tracepoint is CPU_IDLE:
            # What ends its wait may be another CPU's deed of this instant.
            continue
        if time_ns == last_ns and context.cpu < last_cpu:
            faults.append(f"{time_ns} ns: CPU {context.cpu} after CPU {last_cpu}")
        last_ns, last_cpu = time_ns, context.cpu
    return faults


def faults_of_user_time(run: Run) -> list[str]:
    """Compare the time in user mode with what the tasks have run there.

    It says something only of scenarios whose tasks run for fixed times, and have ended.
    """
    wanted_ns = 0
    for spec in run.spec.tasks:
        fixed_ns = [
            each.a
            for step in spec.run
            if isinstance(step, Step) and step.verb == "run"
            for each in step.args
            if isinstance(each, Duration) and each.kind == "fixed"
        ]
        is_plain = len(fixed_ns) == len(spec.run) and spec.mode == "user" and not spec.loop
        if not is_plain or run.machine.task(spec.name).state != TASK_DEAD:
            return []
        wanted_ns += sum(fixed_ns)
    spent_ns = sum(cpu.time.user_ns for cpu in run.kernel.cpus)
    return [] if spent_ns == wanted_ns else [f"tasks ran {wanted_ns} ns, CPUs spent {spent_ns} ns"]


LAWS: Final[tuple[Law, ...]] = (
    *(
        Law(each.name, each.law, each.source, partial(_trace_faults, each.name))
        for each in INVARIANTS
    ),
    *(
        Law(each.name, each.law, each.source, partial(_state_faults, each.name))
        for each in STATE_INVARIANTS
    ),
    Law(
        "a_masked_line_has_a_reason",
        "A line with actions is masked only while it is disabled, or until its handler or the "
        "thread of a one-shot line is done.",
        "kernel/irq/chip.c: irq_enable, cond_unmask_irq",
        partial(_state_faults, "a_masked_line_has_a_reason"),
    ),
    Law(
        "a_oneshot_line_waits_for_its_thread",
        "A one-shot line stays masked until its threads are done.",
        "kernel/irq/chip.c: cond_unmask_irq; kernel/irq/manage.c: irq_finalize_oneshot",
        partial(_state_faults, "a_oneshot_line_waits_for_its_thread"),
    ),
    Law(
        "who_is_woken_runs_or_waits",
        "A task that was woken runs, waits on a run queue, or is about to be put on one.",
        "kernel/sched/core.c: try_to_wake_up, sched_ttwu_pending",
        partial(_state_faults, "who_is_woken_runs_or_waits"),
    ),
    Law(
        "interrupts_are_on_in_user_mode",
        "User code runs with interrupts on.",
        "arch/arm64/kernel/entry-common.c: exit_to_user_mode",
        partial(_state_faults, "interrupts_are_on_in_user_mode"),
    ),
    Law(
        "counts_are_those_of_the_log",
        "kstat_irqs and kstat_softirqs count what the log shows.",
        "kernel/irq/internals.h: kstat_incr_irqs_this_cpu; kernel/softirq.c: handle_softirqs",
        faults_of_counts,
    ),
    Law(
        "an_active_interrupt_is_not_signalled_again",
        "An interrupt that a PE has acknowledged is handed to no PE before its EOI.",
        "IHI 0069 (GICv3) 4.1.2: the active state; IHI 0048 (GICv2) 3.2.4",
        faults_of_active,
    ),
    Law(
        "an_interrupt_is_active_until_its_eoi",
        "An interrupt is active from its acknowledge to its EOI, and at no other time.",
        "IHI 0069 (GICv3) 4.1.2, 4.4 (EOImode 0); IHI 0048 (GICv2) 3.2.4",
        faults_of_eoi,
    ),
    Law(
        "level_lines_are_served_while_asserted",
        "A level line is high while a device wants service, and is served for as long.",
        "IHI 0069 (GICv3) 1.2.2, 4.1.1",
        faults_of_levels,
    ),
    Law(
        "no_edge_is_lost_but_the_merged",
        "The actions of an edge line run once for each edge that the controller did not merge.",
        "IHI 0069 (GICv3) 4.1.1: edge-triggered interrupts",
        faults_of_edges,
    ),
    Law(
        "every_edge_is_followed_by_a_run",
        "After its last edge a line's actions run, or the edge is kept for later.",
        "kernel/irq/chip.c: handle_fasteoi_irq: IRQS_PENDING; kernel/irq/resend.c",
        faults_of_last_edges,
    ),
    Law(
        "all_actions_of_a_line_run_in_their_order",
        "Each interrupt runs every action of its line, back to back, in the order of request.",
        "kernel/irq/handle.c: __handle_irq_event_percpu",
        faults_of_shared_lines,
    ),
    Law(
        "a_disabled_line_runs_no_handler",
        "No handler begins while its line is disabled.",
        "kernel/irq/chip.c: handle_fasteoi_irq: irqd_irq_disabled",
        faults_of_disabled_lines,
    ),
    Law(
        "a_line_is_served_where_its_affinity_says",
        "A line is served by the first CPU of its affinity.",
        "drivers/irqchip/irq-gic-v3.c: gic_set_affinity",
        faults_of_places,
    ),
    Law(
        "a_raised_softirq_runs_or_stays_pending",
        "What was raised has run, is pending, is in the snapshot of a pass that goes on, or, if "
        "its CPU has died, was raised by the takeover.",
        "kernel/softirq.c: __raise_softirq_irqoff, handle_softirqs, takeover_tasklets",
        faults_of_raised,
    ),
    Law(
        "tasklets_run_in_the_order_in_which_they_were_queued",
        "A tasklet runs once for each time it was queued, on the CPU that queued it, behind those "
        "that were queued there before; one that cannot run is queued again.",
        "kernel/softirq.c: __tasklet_schedule_common, tasklet_action_common",
        faults_of_tasklet_order,
    ),
    Law(
        "a_disabled_tasklet_does_not_run",
        "A tasklet does not begin while it is disabled.",
        "kernel/softirq.c: tasklet_action_common: t->count",
        faults_of_disabled_tasklets,
    ),
    Law(
        "a_cpu_that_is_off_is_silent",
        "There is no record of a CPU while it is off.",
        "include/linux/tracepoint.h: __DECLARE_TRACE: cpu_online(raw_smp_processor_id())",
        faults_of_silence,
    ),
    Law(
        "a_lock_has_one_holder",
        "Nobody gets a spin lock or a mutex while another holds it.",
        "kernel/locking/qspinlock.c, kernel/locking/mutex.c",
        faults_of_locks,
    ),
    Law(
        "a_oneshot_line_is_silent_while_its_thread_runs",
        "No handler of a one-shot line begins between beginning and end of its thread function.",
        "kernel/irq/manage.c: irq_finalize_oneshot",
        faults_of_threaded_lines,
    ),
    Law(
        "thread_functions_and_works_run_in_process_context",
        "A thread function is run by its line's thread and a work by a worker, and neither in a "
        "hard interrupt nor in a softirq.",
        "kernel/irq/manage.c: irq_thread; kernel/workqueue.c: process_one_work",
        faults_of_interrupt_context,
    ),
    Law(
        "a_device_is_silent_while_its_poll_is_scheduled",
        "From napi_schedule() until a poll has left part of its weight the device's level line "
        "does not fire, and its device is masked.",
        "Documentation/networking/napi.rst: driver API; net/core/dev.c: napi_complete_done",
        faults_of_polls,
    ),
    Law(
        "a_work_runs_once_for_each_time_it_was_queued",
        "Each queueing of a work is followed by one run, or it waits on its pool.",
        "kernel/workqueue.c: insert_work, process_one_work",
        faults_of_works,
    ),
    Law(
        "no_work_runs_beside_itself",
        "A work does not begin while another worker runs it.",
        "kernel/workqueue.c: find_worker_executing_work",
        faults_of_works_beside,
    ),
    Law(
        "bottom_halves_that_are_off_run_nothing",
        "Between local_bh_disable() and local_bh_enable() no softirq begins on that CPU.",
        "kernel/softirq.c: in_interrupt(); __local_bh_disable_ip (CONFIG_PREEMPT_RT)",
        faults_of_bottom_halves,
    ),
    Law(
        "no_arrival_is_forgotten",
        "What a device has wanted has been served, merged or dropped, or waits.",
        "/proc/irqsim: the engine's own rule",
        faults_of_arrivals,
    ),
    Law(
        "what_is_interrupted_goes_on_with_what_it_owes",
        "The time that a task runs is the same whatever interrupts it.",
        "irqsim/engine.py: the engine's own rule",
        faults_of_user_time,
    ),
    Law(
        "at_one_instant_cpus_act_in_ascending_order",
        "Of what happens at one instant, the CPUs' part comes in ascending order of their numbers.",
        "irqsim/engine.py: the engine's own rule",
        faults_of_instants,
    ),
)
LAW_NAMED: Final[dict[str, Law]] = {each.name: each for each in LAWS}
