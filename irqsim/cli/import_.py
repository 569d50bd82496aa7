"""`irqsim import`: a capture as a scenario that replays it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from irqsim.cli.importing import (
    directory_of,
    import_capture,
    match_rows,
    open_capture,
    verify,
    write_files,
    write_toml,
)
from irqsim.cli.messages import put_table, say
from irqsim.trace.output import seconds

PERCENT_MIN: Final = 98.0
"""Of the events; of the devices' interrupts, --verify wants all."""

EXAMPLE: Final = """\b
Example:
  irqsim new tasklet | irqsim run - | irqsim import - > real.toml && irqsim run real.toml
"""


@click.command("import", epilog=EXAMPLE)
@click.argument("trace", metavar="TRACE")
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path),
              help="Write the scenario here, its files beside it (default: standard output, and"
                   " the files in NAME.replay here).")
@click.option("--fit", "is_fitted", is_flag=True,
              help="Condense what was measured into distributions instead of replaying it.")
@click.option("--verify", "is_verified", is_flag=True,
              help="Replay at once, and say how much of the capture the replay has.")
@click.option("--json", "as_json", is_flag=True, help="Print the result of --verify as JSON.")
@click.option("-v", "--verbose", "is_verbose", is_flag=True,
              help="Say on standard error too what the log does not contain.")
def command(
    trace: str, output: Path | None, is_fitted: bool, is_verified: bool, as_json: bool,
    is_verbose: bool,
) -> int:
    """Turn a capture into a scenario whose run replays it.

    TRACE is any trace that irqsim reads, or - for standard input. With --verify and no -o nothing
    is kept; exit status 1 if the replay lacks more than 2 % of the events, or an interrupt of
    a device.
    """
    if is_fitted and is_verified:
        raise click.UsageError("--fit keeps no order that --verify could look for")
    is_kept = output is not None
    if output == Path("-"):
        output = None
    capture = open_capture(trace)
    directory = directory_of(capture.name, output)
    scenario = import_capture(capture, directory.name, is_fitted)
    for note in scenario.notes if is_verbose else ():
        say(f"irqsim: {capture.name}: {note}")
    if is_kept or not is_verified:
        if scenario.files:
            write_files(scenario, directory)
        write_toml(scenario, output)
    if not is_verified:
        return 0
    match = verify(capture, scenario, directory.name)
    put_table(("event", "capture", "replay", "percent"), match_rows(match), as_json)
    for cpu, time_ns, text in match.differences:
        say(f"irqsim: CPU {cpu}, {seconds(time_ns)}: {text}")
    return int(match.percent < PERCENT_MIN or match.device_percent < 100)
