"""Simulations that several tests run."""

from __future__ import annotations

from attrs import frozen

from irqsim.events import Record
from irqsim.scenario.reader import read_text
from irqsim.simulation import Simulation, build

TRACING = "/sys/kernel/tracing"

# Two interrupts on four CPUs, and a task that keeps one of them busy.
BUSY = """\
[run]
duration = "30ms"
[[device]]
name = "eth0"
spi = 24
arrivals = { every = "1ms" }
handler = ["run 4us", "raise_softirq NET_RX"]
[[device]]
name = "pmu"
ppi = 7
arrivals = ["2500us"]
[[task]]
name = "worker"
cpu = 1
run = ["run 5ms"]
"""


@frozen
class Outcome:
    """A simulation that has run, and what it gave away."""

    sim: Simulation
    records: list[Record]
    console: list[str]

    def text(self) -> str:
        """The lines of the trace."""
        text = self.sim.text_format()
        return text.lines(self.records) + text.finish()

    def names(self) -> list[str]:
        """The names of the events, in order."""
        return [event.tracepoint.name for _, _, event in self.records]


def simulate(text: str, *, reads: tuple[str, ...] = (), is_pipe: bool = False) -> Outcome:
    """Run a scenario to its end."""
    records: list[Record] = []
    console: list[str] = []
    sim = build(read_text(text), records.extend, reads=reads, is_pipe=is_pipe)
    sim.on_console = console.append
    sim.run()
    return Outcome(sim, records, console)


def at(time: str, *commands: str) -> str:
    """An operator's commands, as a table of a scenario."""
    quoted = ", ".join(f"'{command}'" for command in commands)
    return f'[[at]]\ntime = "{time}"\ndo = [{quoted}]\n'
