"""`irqsim new`: a scenario to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from irqsim.cli.messages import put, put_table
from irqsim.errors import IrqsimError
from irqsim.scenario.new import template, template_names, template_summary
from irqsim.trace.output import LineStream

EXAMPLE: Final = """\b
Example:
  irqsim new --list
  irqsim new minimal | irqsim run -
"""


@click.command("new", epilog=EXAMPLE)
@click.argument("name", required=False)
@click.option("-o", "--output", metavar="FILE", default="-", show_default=True,
              help="Where to write it; a file that is there already is kept.")
@click.option("--list", "is_list", is_flag=True, help="List the names and what they show.")
@click.option("--json", "as_json", is_flag=True, help="With --list: as a JSON list of objects.")
def command(name: str | None, output: str, is_list: bool, as_json: bool) -> None:
    """Write a commented scenario to start from."""
    if is_list:
        rows = [(each, template_summary(each)) for each in template_names()]
        put_table(("name", "what"), rows, as_json)
    elif name is None:
        raise click.UsageError("which one? 'irqsim new --list' has the names")
    elif output == "-":
        put(template(name))
    else:
        _create(Path(output), template(name))


def _create(path: Path, text: str) -> None:
    try:
        with path.open("xb", buffering=0) as file:
            LineStream(file).write(text)
    except FileExistsError as error:
        raise IrqsimError(f"{path}: exists already") from error
