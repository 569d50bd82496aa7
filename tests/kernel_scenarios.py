"""Scenarios for tests of the kernel's laws: tables in, what the log and dmesg say out.

Every tracepoint is on, so that a test looks at what it likes; what a test does not name is
not compared.  Times are microseconds from the start of the run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from attrs import frozen

from irqsim.events import (
    TASK_DEAD,
    TASK_IDLE,
    TASK_INTERRUPTIBLE,
    TASK_PREEMPTED,
    TASK_RUNNING,
    TASK_UNINTERRUPTIBLE,
    Event,
    Record,
)
from irqsim.kernel.costs import COSTS
from irqsim.scenario.reader import read_text
from irqsim.simulation import Simulation, build
from irqsim.units import SOFTIRQ_NAMES

Toml: TypeAlias = "int | str | bool | float | Sequence[Toml] | dict[str, Toml]"
Steps: TypeAlias = "Sequence[str | dict[str, Toml]]"

FREE: Final = tuple(f"cost.{cost.name}=0s" for cost in COSTS)
"""Overrides with which nothing takes time but what the scenario's steps spend."""

PLATFORM: Final = ("IPI", "arch_timer")
"""The names of the kernel's own interrupts."""

_STATES: Final = {
    TASK_RUNNING: "R",
    TASK_INTERRUPTIBLE: "S",
    TASK_UNINTERRUPTIBLE: "D",
    TASK_DEAD: "X",
    TASK_IDLE: "I",
    TASK_PREEMPTED: "R+",
}


# -- writing -----------------------------------------------------------------------------


def table(head: str, **keys: Toml) -> str:
    """A table of a scenario, ``[head]``."""
    return "\n".join((f"[{head}]", *(f"{key} = {_toml(value)}" for key, value in keys.items()), ""))


def kernel(**keys: Toml) -> str:
    """The table ``[kernel]``."""
    return table("kernel", **keys)


def lasting(duration: str) -> str:
    """The table ``[run]`` of a run that ends then."""
    return table("run", duration=duration)


def device(name: str, arrivals: Toml, handler: Steps | None = None, **keys: Toml) -> str:
    """A device that wants service at these times."""
    if not {"spi", "ppi"} & keys.keys():
        keys["spi"] = 1
    if handler is not None:
        keys["handler"] = handler
    return table("[device]", name=name, arrivals=arrivals, **keys)


def task(name: str, steps: Steps, **keys: Toml) -> str:
    """A task."""
    return table("[task]", name=name, run=steps, **keys)


def tasklet(name: str, *steps: str, **keys: Toml) -> str:
    """A tasklet."""
    return table("[tasklet]", name=name, run=steps, **keys)


def work(name: str, *steps: str, **keys: Toml) -> str:
    """A work."""
    return table("[work]", name=name, run=steps, **keys)


def timer(name: str, *steps: str, **keys: Toml) -> str:
    """A timer of the wheel."""
    return table("[timer]", name=name, run=steps, **keys)


def hrtimer(name: str, *steps: str, **keys: Toml) -> str:
    """A high-resolution timer."""
    return table("[hrtimer]", name=name, run=steps, **keys)


def _toml(value: Toml) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{key}" = {_toml(item)}' for key, item in value.items()) + " }"
    if isinstance(value, str | bool | int | float):
        return json.dumps(value)
    return "[" + ", ".join(_toml(item) for item in value) + "]"


# -- running -----------------------------------------------------------------------------


@frozen
class Line:
    """One record of the log."""

    time_us: int
    cpu: int
    comm: str
    letters: str
    """The flag columns: ``d.h..``."""
    event: str
    gist: str
    """What it is about: the device, the vector, the task; of a switch ``prev:S>next``."""
    text: str
    """What stands behind the event's name."""
    irq: str = ""
    """Of irq_handler lines: the name of the interrupt."""


@frozen
class Outcome:
    """A scenario that has run."""

    simulation: Simulation
    lines: list[Line]

    @property
    def dmesg(self) -> list[str]:
        """The kernel log, without its times."""
        return [text for _, _, text in self.simulation.kernel.dmesg]

    def of(self, *events: str, cpu: int | None = None, gist: str | None = None) -> list[Line]:
        """The lines of these events (of all by default) on this CPU and about this.

        Interrupts that the kernel itself makes, IPIs and the clock's, are left out: `irqs`.
        """
        return [
            line
            for line in self.lines
            if (not events or line.event in events)
            and line.irq not in PLATFORM
            and (cpu is None or line.cpu == cpu)
            and (gist is None or line.gist == gist)
        ]

    def irqs(self, name: str, cpu: int | None = None) -> list[Line]:
        """The lines of the handlers of interrupts with this name."""
        return [
            line for line in self.lines if line.irq == name and (cpu is None or line.cpu == cpu)
        ]

    def one(self, event: str, gist: str | None = None, cpu: int | None = None) -> Line:
        """The only such line."""
        found = self.of(event, cpu=cpu, gist=gist)
        assert len(found) == 1, found
        return found[0]

    def times(self, event: str, gist: str | None = None, cpu: int | None = None) -> list[int]:
        """When such events happened."""
        return [line.time_us for line in self.of(event, cpu=cpu, gist=gist)]

    def gists(self, *events: str, cpu: int | None = None) -> list[str]:
        """What such events are about, in order."""
        return [line.gist for line in self.of(*events, cpu=cpu)]

    def story(self, *events: str, cpu: int | None = None) -> list[str]:
        """Such events in short: ``d.h.. irq_handler_entry eth0``."""
        found = self.of(*events, cpu=cpu)
        return [f"{line.letters} {line.event} {line.gist}" for line in found]

    def said(self, cpu: int | None = None) -> list[str]:
        """The words of each trace_printk."""
        return self.gists("print", cpu=cpu)

    def said_at(self, words: str) -> int:
        """When the only trace_printk with these words came."""
        return self.one("print", words).time_us

    def letters(self, words: str) -> str:
        """The flags of the only trace_printk with these words."""
        return self.one("print", words).letters

    def switches(self, cpu: int = 0) -> list[str]:
        """Each switch of a CPU, ``prev:S>next``."""
        return self.gists("sched_switch", cpu=cpu)

    def file(self, path: str) -> str:
        """A file of the machine when the run is over."""
        return self.simulation.read_file(path)

    def device_counts(self, name: str) -> list[int]:
        """What /proc/irqsim says of a device: arrivals, merged, dropped, services, missed."""
        rows = [row.split() for row in self.file("/proc/irqsim").splitlines()]
        return next([int(word) for word in row[:-1]] for row in rows if row[-1] == name)

    def counts(self, path: str, label: str) -> list[int]:
        """A row of /proc/interrupts or /proc/softirqs, by what stands before the colon or
        at the end: one number for each CPU."""
        for row in self.file(path).splitlines():
            words = row.split()
            if label in (words[0].rstrip(":"), words[-1]):
                return [int(word) for word in words[1:] if word.isdigit()][: self.nr_cpus]
        raise AssertionError(f"no row {label} in {path}")

    @property
    def nr_cpus(self) -> int:
        """How many CPUs the machine has."""
        return len(self.simulation.kernel.cpus)


def run(text: str, *overrides: str, rcu: bool = False) -> Outcome:
    """Run a scenario with every event on; `overrides` are as after ``--set``.

    Without `rcu` the tick raises neither RCU nor SCHED, so that a CPU is left in peace.
    """
    quiet = f"kernel.rcu={str(rcu).lower()}"
    spec = read_text(text, "scenario.toml", ('trace.events=["*"]', quiet, *overrides))
    records: list[Record] = []
    simulation = build(spec, records.extend)
    simulation.run()
    log = simulation.text_format().lines(records).splitlines()
    rows = zip(records, log, strict=True)
    names: dict[object, str] = {}
    return Outcome(simulation, [_line(record, row, names) for record, row in rows])


def run_free(text: str, *overrides: str) -> Outcome:
    """The same where nothing takes time but the scenario's steps."""
    return run(text, *FREE, *overrides)


def _line(record: Record, row: str, names: dict[object, str]) -> Line:
    """`names` collects those of the interrupts, by number."""
    time_ns, context, event = record
    prefix, _, text = row.partition(": ")
    name = event.tracepoint.name
    if name == "irq_handler_entry":
        names[event["irq"]] = str(event["name"])
    return Line(
        time_us=time_ns // 1000,
        cpu=context.cpu,
        comm=context.comm,
        letters=prefix.rpartition("[")[2].split()[1],
        event=name,
        gist=_GISTS[name](event) if name in _GISTS else "",
        text=text.partition(": ")[2] if name != "print" else text,
        irq=names.get(event["irq"], "") if name.startswith("irq_handler_") else "",
    )


def _field(name: str) -> Callable[[Event], str]:
    return lambda event: str(event[name])


def _vector(event: Event) -> str:
    vec = event["vec"]
    assert isinstance(vec, int)
    return SOFTIRQ_NAMES[vec]


def _switch(event: Event) -> str:
    state = event["prev_state"]
    assert isinstance(state, int)
    return f"{event['prev_comm']}:{_STATES[state]}>{event['next_comm']}"


_GISTS: Final[dict[str, Callable[[Event], str]]] = {
    "print": _field("buf"),
    "irq_handler_entry": _field("name"),
    "irq_handler_exit": lambda event: "handled" if event["ret"] else "unhandled",
    "softirq_raise": _vector,
    "softirq_entry": _vector,
    "softirq_exit": _vector,
    "tasklet_entry": _field("func"),
    "tasklet_exit": _field("func"),
    "ipi_raise": _field("reason"),
    "ipi_entry": _field("reason"),
    "ipi_exit": _field("reason"),
    "sched_switch": _switch,
    "sched_waking": _field("comm"),
    "sched_wakeup": _field("comm"),
    "sched_migrate_task": _field("comm"),
    "sched_process_exit": _field("comm"),
    "timer_start": _field("function"),
    "timer_expire_entry": _field("function"),
    "hrtimer_start": _field("function"),
    "hrtimer_expire_entry": _field("function"),
    "workqueue_queue_work": _field("function"),
    "workqueue_execute_start": _field("function"),
    "workqueue_execute_end": _field("function"),
    "napi_poll": _field("work"),
}
