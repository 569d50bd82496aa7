"""`irqsim narrate`: the log in words, line by line or interrupt by interrupt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import click
from attrs import evolve

from irqsim.analysis.narrate import Narrator, is_exception
from irqsim.analysis.narrate_scene import Ground, ground_of_log
from irqsim.analysis.narrate_story import Story
from irqsim.analysis.narrate_text import narrate_object, narrate_text
from irqsim.analysis.words import LANGUAGES, Language, Sentence
from irqsim.cli.convert import _cpus, _time
from irqsim.cli.inputs import Take, drive
from irqsim.cli.messages import standard_output
from irqsim.cli.narrate_ground import EXCEPTIONS, ground_of
from irqsim.errors import IrqsimError
from irqsim.events import KERNEL_STACK
from irqsim.kernel.printk import format_line
from irqsim.records import Lost, Record, TraceHeader
from irqsim.scenario.names import hint
from irqsim.scenario.spec import ScenarioSpec
from irqsim.simulation import Simulation
from irqsim.trace.convert import Cut, Style
from irqsim.trace.ftrace import TextFormat

PANICKED: Final = 3

EXAMPLE: Final = """\b
Example:
  irqsim new tasklet | irqsim narrate - --irq uart --lang ko
"""


@click.command("narrate", epilog=EXAMPLE)
@click.argument("source", metavar="TRACE")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True,
              help="In English or in Korean.")
@click.option("--irq", metavar="NAME", help="The story of one interrupt of this line, to its end.")
@click.option("--nth", metavar="N", type=click.IntRange(1), default=1, show_default=True,
              help="Which of them, in the order of the log.")
@click.option("--arch", type=click.Choice(("arm64", "arm")),
              help="The architecture of a trace, which seldom says it.")
@click.option("--cpu", "cpus", metavar="LIST", callback=_cpus, help="Only these CPUs: 0-3,6.")
@click.option("-e", "--event", "events", metavar="EVENT", multiple=True,
              help="Only this, as in set_event; a scenario is traced with it as well.")
@click.option("--from", "start", metavar="TIME",
              help="Only from this time on: in seconds, as printed, or with a unit.")
@click.option("--to", "end", metavar="TIME", help="Only what comes before this time.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list of objects.")
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True,
              help="Override a value of a scenario, as in 'irqsim run'.")
@click.option("-q", "--quiet", is_flag=True, help="Keep the kernel's warnings off standard error.")
def command(
    source: str,
    lang: Language,
    irq: str | None,
    nth: int,
    arch: str | None,
    cpus: tuple[int, ...],
    events: tuple[str, ...],
    start: str | None,
    end: str | None,
    as_json: bool,
    overrides: tuple[str, ...],
    quiet: bool,
) -> int:
    """Tell what each line of a log means: who did what, in whose code, and by which rule.

    TRACE is a log in any format, told as far as it says, a scenario, which is run, or - for
    standard input.  Below each line stand sentences: what the processor did, what the kernel,
    what the driver, each with the kernel's function and its file.
    """
    if nth != 1 and irq is None:
        raise click.UsageError("--nth counts the interrupts of --irq NAME")
    story = None if irq is None else Story(irq, nth)
    simulations: list[Simulation] = []
    tellers: list[_Teller] = []
    hides: list[bool] = []

    def prepare(spec: ScenarioSpec) -> ScenarioSpec:
        wanted = tuple(dict.fromkeys((*spec.trace.events, *events)))
        options = spec.trace.options
        if spec.trace.buffer_size_kb is None and EXCEPTIONS not in options:
            # For the narrator only: whether user code was interrupted is in no other line.
            hides.append(True)
            options = (*options, EXCEPTIONS)
        return evolve(spec, trace=evolve(spec.trace, events=wanted, options=options))

    def begin(shown: str, header: TraceHeader) -> Take:
        cut = Cut(
            cpus, events, _time(header, start, "'--from'"), _time(header, end, "'--to'")
        )
        ground = ground_of(simulations[0]) if simulations else ground_of_log(header, arch)
        teller = _Teller(ground, header, lang, cut, story, as_json)
        teller.simulation = simulations[0] if simulations else None
        teller.hides_exceptions = bool(hides)
        tellers.append(teller)
        return teller.take

    ended = drive(source, overrides, begin, quiet, prepare, simulations.append)
    if story is not None:
        _refuse(source, story, irq or "", nth, ended.spec)
    tellers[0].end()
    return PANICKED if ended.panicked else 0


def _refuse(
    source: str, story: Story, name: str, nth: int, spec: ScenarioSpec | None
) -> None:
    """Raises IrqsimError where the interrupt is not in the log."""
    if story.nr >= nth:
        return
    devices = [each.name for each in spec.devices] if spec is not None else []
    if not story.nr and name not in devices:
        raise IrqsimError(
            f"{source}: no interrupt {name!r} in it{hint(name, [*story.names, *devices])}"
        )
    times = "once" if story.nr == 1 else f"{story.nr} times"
    raise IrqsimError(f"{source}: {name!r} interrupts {times}: there is no --nth {nth}")


class _Teller:
    """Writes what is told, as it comes; a story when it is known to be there."""

    def __init__(
        self,
        ground: Ground,
        header: TraceHeader,
        language: Language,
        cut: Cut,
        story: Story | None,
        as_json: bool,
    ) -> None:
        self._narrator = Narrator(ground, language)
        style = Style.of(header)
        self._text = TextFormat(
            style.layout,
            irq_info=style.irq_info,
            record_tgid=style.record_tgid,
            clock_in_ns=header.clock != "counts",
        )
        self._language: Language = language
        self._cut = cut
        self._story = story
        self._as_json = as_json
        self._held: list[str] = []
        self._nr = 0
        self._nr_messages = 0
        self._last = False
        """The record before was told."""
        self.simulation: Simulation | None = None
        self._hidden: dict[int, bool] = {}
        """By CPU: its last event was."""
        self.hides_exceptions = False
        """Lines of the option `exceptions` are for the narrator, and not to be shown."""

    def take(self, number: int, item: Record | Lost) -> None:
        """Tell a record, or that some are missing."""
        if isinstance(item, Lost):
            told = self._narrator.lost(item)
            if self._cut.takes(item) and self._story is None:
                lost = f"CPU:{item.cpu} [LOST {item.nr or ''} EVENTS]".replace("  ", " ")
                self._put(number, lost, None, told)
            return
        self._messages(item[0])
        told = self._narrator.feed(number, item)
        if self._is_hidden(item):
            return
        is_ours = self._story is None or self._story.takes(item)
        self._last = self._cut.takes(item) and is_ours
        if self._last:
            line = self._text.lines([item]).rstrip("\n")
            self._put(number, line, item, told)

    def _is_hidden(self, record: Record) -> bool:
        """It is there for the narrator only, as is its stack trace."""
        _, context, event = record
        if not self.hides_exceptions:
            return False
        if event.tracepoint is not KERNEL_STACK:
            self._hidden[context.cpu] = is_exception(event)
        return self._hidden.get(context.cpu, False)

    def _messages(self, time_ns: int | None) -> None:
        """Tell what the kernel has logged before a time, or up to the end."""
        if self.simulation is None:
            return
        dmesg = self.simulation.kernel.dmesg
        while self._nr_messages < len(dmesg):
            when_ns, _, text = dmesg[self._nr_messages]
            if time_ns is not None and when_ns >= time_ns:
                return
            self._nr_messages += 1
            told = self._narrator.message(text)
            if self._last:
                self._put(0, format_line(when_ns, text), None, told)

    def end(self) -> None:
        """Write what is left."""
        self._messages(None)
        stream = standard_output()
        stream.write("".join(self._held))
        if self._as_json:
            stream.write("\n]\n" if self._nr else "[]\n")

    def _put(
        self, number: int, line: str, record: Record | None, told: Sequence[Sentence]
    ) -> None:
        self._nr += 1
        if self._as_json:
            head = ",\n" if self._nr > 1 else "[\n"
            number = number if self.simulation is None else 0
            found = narrate_object(number, line, record, told)
            text = head + json.dumps(found, ensure_ascii=False)
        else:
            text = narrate_text(line, told, self._language)
        self._held.append(text)
        if self._story is None and len(self._held) >= HELD_MAX:
            standard_output().write("".join(self._held))
            self._held.clear()


HELD_MAX: Final = 256
"""Records that are told at a time, where nothing can be wrong any more."""
