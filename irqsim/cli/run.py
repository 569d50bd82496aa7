"""`irqsim run`: options to a scenario, and the machine's files to where they are wanted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import click

from irqsim.cli.messages import say
from irqsim.cli.session import OPTIONS, Cat, Wanted, describe, parse_cat, perform, switch_options
from irqsim.scenario.names import hint
from irqsim.scenario.reader import read_scenario
from irqsim.trace.formats import FORMATS
from irqsim.trace.layout import LAYOUTS
from irqsim.trace.markers import OPTION as MARKERS

SWITCHES: Final = [*(no + option for option in OPTIONS for no in ("", "no")), MARKERS]

EXAMPLE: Final = """\b
Example:
  irqsim new minimal | irqsim run - | grep irq_handler_entry
"""


Names = str | tuple[str, ...] | None


def among(known: Iterable[str], what: str) -> Callable[[object, object, Names], Names]:
    """A callback that refuses what is not among the known names."""
    names = list(known)

    def check(ctx: object, param: object, value: Names) -> Names:
        for name in value if isinstance(value, tuple) else (value,):
            if name is not None and name not in names:
                raise click.BadParameter(f"{name!r} is no {what}{hint(name, names)}")
        return value

    return check


def _directory(ctx: object, param: object, value: str | None) -> Path | None:
    if value == "-":
        raise click.BadParameter("a tree needs a directory; without -o the log is printed")
    return None if value is None else Path(value)


@click.command("run", epilog=EXAMPLE)
@click.argument("scenario")
@click.option("-o", "--output", metavar="DIR", callback=_directory,
              help="Write the machine's files as a tree: trace, proc/, dmesg, snapshots.")
@click.option("--cat", "cats", metavar="PATH[@TIME]", multiple=True,
              help="Print this file of the machine instead, as it stands at the end or then.")
@click.option("-e", "--event", "events", metavar="EVENT", multiple=True,
              help="What to trace, as in set_event: a system, an event, '*'.")
@click.option("-f", "--format", metavar="FORMAT", default="trace", show_default=True,
              callback=among(FORMATS, "format"),
              help=f"One of {', '.join(FORMATS)}.")
@click.option("-O", "--option", "options", metavar="OPT", multiple=True,
              callback=among(SWITCHES, "trace option"),
              help=f"As in trace_options: {', '.join(OPTIONS)}; 'no' in front switches off. "
                   "markers: slices for viewers that know no interrupts.")
@click.option("--layout", metavar="RELEASE", callback=among(LAYOUTS, "layout"),
              help=f"Print in the layout of another release: {', '.join(LAYOUTS)}.")
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True,
              help="Override a value: run.seed=3, 'device.eth0.affinity=[1]'.")
@click.option("--seed", metavar="N", help="Short for --set run.seed=N.")
@click.option("--duration", metavar="T", help="Short for --set run.duration=T.")
@click.option("-q", "--quiet", is_flag=True, help="Keep the kernel's warnings in dmesg.")
@click.option("-v", "--verbose", is_flag=True, help="Say more on standard error.")
@click.option("--progress/--no-progress", default=None,
              help="A bar on standard error; default: on a terminal, if the run is long.")
def command(
    scenario: str,
    output: Path | None,
    cats: tuple[str, ...],
    events: tuple[str, ...],
    format: str,
    options: tuple[str, ...],
    layout: str | None,
    overrides: tuple[str, ...],
    seed: str | None,
    duration: str | None,
    quiet: bool,
    verbose: bool,
    progress: bool | None,
) -> int:
    """Run a scenario and print the ftrace log.

    SCENARIO is a TOML file, or - for standard input.
    """
    if cats and output is not None:
        raise click.UsageError("-o keeps every file and prints none: give either it or --cat")
    short = _named({"run.seed": seed, "run.duration": duration}, events)
    switches = tuple(option for option in options if option != MARKERS)
    spec = switch_options(read_scenario(scenario, [*overrides, *short]), switches)
    if verbose:
        say(f"irqsim: {describe(spec)}")
    wanted = Wanted(
        format,
        layout,
        output,
        _cats(cats, spec.run.tick),
        tuple(option for option in options if option == MARKERS),
        verbose - quiet,
        progress,
    )
    return perform(spec, wanted)


def _named(values: dict[str, str | None], events: tuple[str, ...]) -> list[str]:
    """The options that stand for an override, as such."""
    overrides = [f"{key}={value}" for key, value in values.items() if value is not None]
    return [*overrides, f"trace.events={json.dumps(events)}"] if events else overrides


def _cats(texts: tuple[str, ...], tick_ns: int) -> tuple[Cat, ...]:
    try:
        return tuple(parse_cat(text, tick_ns) for text in texts)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--cat'") from error
