"""A capture as a scenario, and its replay: what the command and the tests share."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from irqsim.analysis.capture import Capture, read_capture
from irqsim.analysis.import_fit import FitWriter
from irqsim.analysis.import_text import Scenario, Writer
from irqsim.analysis.match import Match, compare, percent
from irqsim.analysis.story import Story
from irqsim.analysis.unwind import Unwinder
from irqsim.cli.messages import put
from irqsim.errors import IrqsimError
from irqsim.kernel.costs import COSTS
from irqsim.records import EventTable, Record
from irqsim.scenario.reader import read_scenario
from irqsim.simulation import build
from irqsim.trace.output import WholeFile, write_error
from irqsim.trace.payload import Payloads
from irqsim.trace.reader import open_trace


def open_capture(name: str) -> Capture:
    """Read a whole trace.  Raises TraceFormatError, or IrqsimError if nothing is in it."""
    with open_trace(name) as trace:
        if not trace.header.has_context:
            raise IrqsimError(f"{trace.name}: its lines do not say which task ran when")
        capture = read_capture(trace.name, trace.header, (item for _, item in trace))
    if not capture.records:
        raise IrqsimError(f"{capture.name}: there are no records to replay")
    return capture


def directory_of(name: str, output: Path | None) -> Path:
    """Where the files of a scenario go: beside it, under its name or else the capture's."""
    if output is not None:
        return output.with_name(f"{output.stem}.replay")
    stem = Path(name).name.split(".")[0]
    return Path(f"{stem or 'capture'}.replay")


def import_capture(capture: Capture, directory: str, is_fitted: bool = False) -> Scenario:
    """The scenario that replays a capture, its files to be in `directory` beside it; or that
    condenses it into distributions."""
    story = Story(capture)
    payloads = Payloads(capture.release)
    Unwinder(capture, story, payloads.text).walk()
    writer = FitWriter if is_fitted else Writer
    return writer(story, directory, [cost.name for cost in COSTS]).write()


def write_files(scenario: Scenario, directory: Path) -> None:
    """Write what the scenario refers to.  Raises WriteError."""
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise write_error(error, str(directory)) from error
    for name, text in scenario.files.items():
        with WholeFile(directory / name) as stream:
            stream.write(text)


def write_toml(scenario: Scenario, output: Path | None) -> None:
    """Write the scenario itself.  Raises WriteError."""
    if output is None:
        put(scenario.toml)
    else:
        with WholeFile(output) as stream:
            stream.write(scenario.toml)


def match_rows(match: Match) -> list[tuple[str, str, str, str]]:
    """A match as a table: by event, the interrupts of devices, and all."""
    rows = [
        (name, str(wanted), str(match.found.get(name, 0)),
         f"{percent(match.found.get(name, 0), wanted):.2f}")
        for name, wanted in sorted(match.wanted.items())
    ]
    wanted, found = match.devices
    rows.append(("interrupts of devices", str(wanted), str(found), f"{match.device_percent:.2f}"))
    all_wanted, all_found = sum(match.wanted.values()), sum(match.found.values())
    rows.append(("all", str(all_wanted), str(all_found), f"{match.percent:.2f}"))
    return rows


def replay(scenario: Scenario, directory: str, *overrides: str) -> list[Record]:
    """Run a scenario that has just been made, and return its records."""
    with TemporaryDirectory() as place:
        write_files(scenario, Path(place) / directory)
        path = Path(place) / "scenario.toml"
        path.write_text(scenario.toml, encoding="utf-8")
        spec = read_scenario(path, overrides)
    records: list[Record] = []
    build(spec, records.extend).run()
    return declared(records, spec.kernel.release)


def declared(records: list[Record], release: str) -> list[Record]:
    """The same records, those events declared that were taken over as text."""
    payloads, table = Payloads(release), EventTable()
    return [
        (time_ns, context, payloads.parse(payloads.text(event), table))
        for time_ns, context, event in records
    ]


def verify(capture: Capture, scenario: Scenario, directory: str) -> Match:
    """Replay a capture, and look for it in the replay."""
    return compare(capture.records, replay(scenario, directory))
