"""`irqsim validate`: read scenarios without running them."""

from __future__ import annotations

from typing import Final

import click

from irqsim.cli.messages import complain
from irqsim.errors import IrqsimError
from irqsim.scenario.reader import read_scenario

EXAMPLE: Final = """\b
Example:
  irqsim new minimal | irqsim validate - && echo valid
"""


@click.command("validate", epilog=EXAMPLE)
@click.argument("scenarios", metavar="SCENARIO...", nargs=-1, required=True)
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True,
              help="Override a value, as in 'irqsim run'.")
def command(scenarios: tuple[str, ...], overrides: tuple[str, ...]) -> int:
    """Check scenarios without running them.

    SCENARIOs are TOML files, or - for standard input; every fault is named.
    """
    status = 0
    for scenario in scenarios:
        try:
            read_scenario(scenario, overrides)
        except IrqsimError as error:
            status = complain(error)
    return status
