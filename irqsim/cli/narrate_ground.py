"""What a scenario and its machine say of the log that they make, for those who tell it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from irqsim.analysis.narrate_scene import Ground, Line
from irqsim.events import SOFTIRQ_RAISE, release_number
from irqsim.kernel.irq.chip import GicChip
from irqsim.kernel.irq.irqdesc import IRQS_ONESHOT, IrqDesc
from irqsim.kernel.irq.thread import irq_default_primary_handler
from irqsim.scenario.source import arrival_times
from irqsim.scenario.spec import AnyStep, Body, ScenarioSpec, Step
from irqsim.simulation import Simulation

TRACING: Final = "/tracing/"
"""The files by which an operator may have part of the log only."""
EXCEPTIONS: Final = "exceptions"
"""The trace option that logs them."""
DISABLES: Final = "disable_irq"
"""How the steps begin that disable a line."""


def ground_of(simulation: Simulation) -> Ground:
    """What is known of a machine that is ready to run."""
    spec, k = simulation.spec, simulation.kernel
    clock_ns = spec.run.clock
    is_whole = spec.trace.buffer_size_kb is None and not any(
        TRACING in command.path for at in spec.ats for command in at.commands
    )
    return Ground(
        arch=spec.machine.arch,
        release=release_number(spec.kernel.release),
        gic=spec.machine.irqchip,
        preempt=spec.kernel.preempt,
        threadirqs=spec.kernel.threadirqs,
        softirq_restart=spec.kernel.softirq_restart,
        netdev_budget=spec.kernel.netdev_budget,
        logs_exceptions=EXCEPTIONS in spec.trace.options,
        loops=k.gic.loops,
        sees_raises=is_whole and k.trace_events[SOFTIRQ_RAISE.id],
        lines={irq: _line(desc) for irq, desc in k.irq_desc.items()},
        arrivals={
            each.name: _from(arrival_times(each, spec.run), clock_ns)
            for each in spec.devices
            if is_whole and each.poll is None
        },
        entry_ns=k.cost.irq_entry,
        disables=_disables(spec),
    )


def _from(times: Iterator[int], clock_ns: int) -> Iterator[int]:
    return (time_ns + clock_ns for time_ns in times)


def _line(desc: IrqDesc) -> Line:
    actions = desc.actions
    return Line(
        desc.irq,
        desc.hwirq,
        desc.handle_irq.__name__,
        "" if isinstance(desc.chip, GicChip) else desc.chip.name,
        is_level=desc.is_level,
        is_oneshot=bool(desc.istate & IRQS_ONESHOT),
        is_percpu=desc.percpu,
        names=tuple(each.name for each in actions),
        unhandled=tuple(
            each.name
            for each in actions
            if each.handler is irq_default_primary_handler and not each.is_forced
        ),
        forced=tuple(each.name for each in actions if each.is_forced),
    )


def _disables(spec: ScenarioSpec) -> bool:
    """Somebody disables a line: a driver, a task, or the detector of storms."""
    bodies: list[Body] = [each.handler or () for each in spec.devices]
    bodies += [each.thread or () for each in spec.devices]
    bodies += [each.run for each in spec.softirqs]
    bodies += [each.run for each in spec.tasklets]
    bodies += [each.run for each in spec.works]
    bodies += [each.run for each in spec.timers]
    bodies += [each.run for each in spec.hrtimers]
    bodies += [each.run for each in spec.tasks]
    if spec.kernel.storm_threshold is not None:
        return True
    return any(step.verb.startswith(DISABLES) for body in bodies for step in _steps(body))


def _steps(body: Body) -> Iterator[Step]:
    for each in body:
        yield from _steps_of(each)


def _steps_of(each: AnyStep) -> Iterator[Step]:
    if isinstance(each, Step):
        yield each
        return
    yield from _steps(each.body)
    yield from _steps(getattr(each, "otherwise", ()))
