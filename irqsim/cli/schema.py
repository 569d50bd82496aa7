"""`irqsim schema`: the language of scenarios, for editors."""

from __future__ import annotations

import json
from typing import Final

import click

from irqsim.cli.messages import put
from irqsim.scenario.schema import scenario_schema

EXAMPLE: Final = """\b
Example:
  irqsim schema | head -n 5
"""


@click.command("schema", epilog=EXAMPLE)
def command() -> None:
    """Print the JSON Schema of a scenario.

    With it, editors complete and check a scenario while it is typed.
    """
    put(json.dumps(scenario_schema(), indent=2, ensure_ascii=False) + "\n")
