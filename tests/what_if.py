"""A capture, imported and run with something changed: what became of its devices' interrupts."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from irqsim.analysis.capture import Capture
from irqsim.analysis.import_text import Scenario
from irqsim.analysis.trace_check import TraceCheck
from irqsim.cli.importing import declared, import_capture, open_capture, write_files
from irqsim.records import Record
from irqsim.scenario.reader import read_scenario
from irqsim.simulation import Simulation, build

DIRECTORY = "x.replay"


@frozen
class Question:
    """A capture, and the scenario that replays it."""

    capture: Capture
    scenario: Scenario

    @property
    def busiest(self) -> str:
        """The device that interrupts most, but for those that each CPU has of its own."""
        lines = [line for line in self.capture.lines.values() if not line.is_percpu]
        names = {line.names[0]: len(line.durations.get(line.names[0], ())) for line in lines
                 if line.names != ["IPI"]}
        return max(names, key=lambda name: names[name], default="")

    def ask(self, *overrides: str) -> Answer:
        """Run it so."""
        with TemporaryDirectory() as place:
            write_files(self.scenario, Path(place) / DIRECTORY)
            path = Path(place) / "scenario.toml"
            path.write_text(self.scenario.toml, encoding="utf-8")
            spec = read_scenario(path, overrides)
        records: list[Record] = []
        simulation = build(spec, records.extend)
        simulation.run()
        return Answer(simulation, declared(records, spec.kernel.release))


@frozen
class Answer:
    """What came of it."""

    simulation: Simulation
    records: list[Record]

    @property
    def lost(self) -> dict[str, tuple[int, int, int, int]]:
        """Devices with arrivals that were neither served nor merged with one that was: how many
        arrived, were served, merged and wait still."""
        lost = {}
        for spec in self.simulation.spec.devices:
            device = self.simulation.machine.device(spec.name)
            counts = device.nr_arrivals, device.nr_services, device.nr_merged, device.waiting
            if counts[0] != counts[1] + counts[2]:
                lost[spec.name] = counts
        return lost

    @property
    def arrivals(self) -> dict[str, int]:
        """How often each device wanted service."""
        devices = [self.simulation.machine.device(spec.name)
                   for spec in self.simulation.spec.devices]
        return {device.name: device.nr_arrivals for device in devices}

    @property
    def violations(self) -> list[str]:
        """The strict laws that its log breaks."""
        check = TraceCheck(self.simulation.trace_header())
        found = [finding for number, record in enumerate(self.records)
                 for finding in check.feed(number, record)]
        return [f"{finding.violation.time_ns} {finding.violation.name}: {finding.violation.message}"
                for finding in found if not finding.is_warning]


def question(trace: Path) -> Question:
    """Import a capture."""
    capture = open_capture(str(trace))
    return Question(capture, import_capture(capture, DIRECTORY))
