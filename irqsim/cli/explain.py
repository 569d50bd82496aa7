"""`irqsim explain`: why an interrupt, a softirq or a thread was served late."""

from __future__ import annotations

import json
from typing import Final

import click
from attrs import evolve

from irqsim.analysis.explain import Explainer, Kind
from irqsim.analysis.explain_text import explain_object, explain_text
from irqsim.cli.inputs import Take, drive
from irqsim.cli.messages import put
from irqsim.errors import IrqsimError
from irqsim.kernel.costs import CostTable
from irqsim.records import Lost, Record, TraceHeader
from irqsim.scenario.names import hint
from irqsim.scenario.source import arrival_times
from irqsim.scenario.spec import DeviceSpec, ScenarioSpec
from irqsim.units import SOFTIRQ_NAMES

EVENTS: Final = ("irq", "ipi", "sched", "timer", "workqueue")
"""What a scenario is traced with, so that nothing stays unseen."""
TOP_MAX: Final = 1000

EXAMPLE: Final = """\b
Example:
  irqsim new tasklet | irqsim explain - --softirq TASKLET
"""


@click.command("explain", epilog=EXAMPLE)
@click.argument("source", metavar="TRACE")
@click.option("--irq", metavar="NAME", help="Why this line's handler, and its thread, began late.")
@click.option("--softirq", metavar="VECTOR", help="Why this vector ran late.")
@click.option("--thread", metavar="COMM", help="Why this task ran late after its waking.")
@click.option("--top", metavar="N", type=click.IntRange(1, TOP_MAX), default=1, show_default=True,
              help="So many of the longest waits.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True,
              help="Override a value of a scenario, as in 'irqsim run'.")
@click.option("-q", "--quiet", is_flag=True, help="Keep the kernel's warnings off standard error.")
def command(
    source: str,
    irq: str | None,
    softirq: str | None,
    thread: str | None,
    top: int,
    as_json: bool,
    overrides: tuple[str, ...],
    quiet: bool,
) -> None:
    """Say what stood in the way of an interrupt, a softirq or a thread.

    TRACE is a log in any format, a scenario, which is run, or - for standard input. Only a
    scenario knows when an interrupt arrived; in a log its wait begins with its handler.
    """
    kind, name = _target(irq, softirq, thread)
    specs: list[ScenarioSpec] = []
    explainers: list[Explainer] = []

    def prepare(spec: ScenarioSpec) -> ScenarioSpec:
        specs.append(spec)
        if kind == "irq":
            _device(spec, name)
        return evolve(spec, trace=evolve(spec.trace, events=EVENTS, buffer_size_kb=None))

    def begin(shown: str, header: TraceHeader) -> Take:
        explainer = _explainer(kind, name, top, specs[0] if specs else None)
        explainers.append(explainer)

        def take(line: int, item: Record | Lost) -> None:
            if isinstance(item, Lost):
                explainer.lost(item)
            else:
                explainer.feed(0 if specs else line, item)

        return take

    drive(source, overrides, begin, quiet, prepare)
    waits = explainers[0].finish()
    if not waits:
        raise IrqsimError(f"{source}: {kind} {name!r} waits nowhere in it")
    what = f"{kind} {name}"
    if as_json:
        told = explain_object(what, explainers[0].nr_waits, waits)
        put(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    else:
        put(explain_text(what, explainers[0].nr_waits, waits))


def _target(irq: str | None, softirq: str | None, thread: str | None) -> tuple[Kind, str]:
    given: list[tuple[Kind, str]] = []
    if irq is not None:
        given.append(("irq", irq))
    if softirq is not None:
        if softirq not in SOFTIRQ_NAMES:
            raise click.UsageError(f"{softirq!r} is no softirq{hint(softirq, SOFTIRQ_NAMES)}")
        given.append(("softirq", softirq))
    if thread is not None:
        given.append(("thread", thread))
    if len(given) != 1:
        raise click.UsageError("name one of --irq, --softirq and --thread")
    return given[0]


def _device(spec: ScenarioSpec, name: str) -> DeviceSpec:
    names = [device.name for device in spec.devices]
    for device in spec.devices:
        if device.name == name and device.poll is None:
            return device
    raise IrqsimError(f"{spec.file}: no device {name!r} that interrupts{hint(name, names)}")


def _explainer(kind: Kind, name: str, top: int, spec: ScenarioSpec | None) -> Explainer:
    if kind != "irq" or spec is None:
        return Explainer(kind, name, top=top)
    clock_ns = spec.run.clock
    times = (time_ns + clock_ns for time_ns in arrival_times(_device(spec, name), spec.run))
    entry_ns = CostTable(spec.cost.costs, spec.run.tick).irq_entry
    return Explainer(kind, name, arrivals=times, entry_ns=entry_ns, top=top)
