"""`irqsim list`: the tables that the program itself works from."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import click

from irqsim.analysis.check import INVARIANTS
from irqsim.cli.messages import put_table
from irqsim.events import tracepoints_in
from irqsim.kernel.costs import COSTS
from irqsim.kernel.release import RELEASES
from irqsim.scenario.steps import CONTROL_STEPS, STEPS
from irqsim.trace.formats import FORMATS
from irqsim.trace.layout import LAYOUTS
from irqsim.units import SOFTIRQ_NAMES, format_ns

EXAMPLE: Final = """\b
Example:
  irqsim list steps | grep softirq
"""

FIELD_KIND: Final = re.compile(r":[a-z]+(?=\})")
"""How a field is printed: of no interest to who wants to know its name."""

Rows = list[tuple[str, ...]]


def _events() -> Rows:
    newest = tracepoints_in(RELEASES[-1].name)
    return [
        (f"{each.system}:{each.name}", FIELD_KIND.sub("", each.formats[0].template))
        for each in newest
    ]


def _softirqs() -> Rows:
    return [(str(vec), name) for vec, name in enumerate(SOFTIRQ_NAMES)]


def _invariants() -> Rows:
    return [
        (each.name, each.scope, "any log" if each.is_strict else "complete logs", each.law)
        for each in INVARIANTS
    ]


def _steps() -> Rows:
    rows = [(step.usage, step.where, step.what) for step in STEPS]
    return [*rows, *((usage, "anywhere", what) for usage, what in CONTROL_STEPS)]


def _costs() -> Rows:
    return [(cost.name, format_ns(cost.default_ns), cost.what) for cost in COSTS]


def _releases() -> Rows:
    return [
        (each.name, each.version, each.fair, f"{len(LAYOUTS[each.name].columns)} flag letters")
        for each in RELEASES
    ]


def _formats() -> Rows:
    return [(each.name, each.what) for each in FORMATS.values()]


# What can be listed: the names of the columns, and the rows.
LISTS: Final[dict[str, tuple[tuple[str, ...], Callable[[], Rows]]]] = {
    "events": (("event", "format"), _events),
    "softirqs": (("vec", "name"), _softirqs),
    "invariants": (("invariant", "scope", "holds", "law"), _invariants),
    "steps": (("step", "where", "what"), _steps),
    "costs": (("cost", "default", "what"), _costs),
    "releases": (("release", "version", "fair", "layout"), _releases),
    "formats": (("format", "what"), _formats),
}


@click.command("list", epilog=EXAMPLE)
@click.argument("what", type=click.Choice(list(LISTS)))
@click.option("--json", "as_json", is_flag=True, help="As a JSON list of objects.")
def command(what: str, as_json: bool) -> None:
    """List the events, steps, releases, ..."""
    columns, rows = LISTS[what]
    put_table(columns, rows(), as_json)
