"""The log told in words: what the processor did, what the kernel, what the driver, and why.

Each record is told by what stands for its tracepoint in a table, `TELLERS`, and by the rules
that decided it.  What no record shows is derived as the checks and the report do it, from the
records alone; where it cannot be, nothing is told, or that it cannot.  The words stand in tables
of their own (irqsim.analysis.words and words_*), in every language.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.explain import Trail
from irqsim.analysis.invariant import Setting
from irqsim.analysis.names import TICK_FUNCTIONS
from irqsim.analysis.narrate_irq import IRQ_TELLERS, Waits
from irqsim.analysis.narrate_scene import (
    HARD,
    SOFT,
    Ground,
    Place,
    Scene,
    Telling,
    Turns,
    Values,
    level_of,
)
from irqsim.analysis.narrate_sched import SCHED_TELLERS, Tasks
from irqsim.analysis.narrate_softirq import SOFTIRQ_TELLERS
from irqsim.analysis.timeline import symbol, vector_name
from irqsim.analysis.words import Language, Sentence, Words, table, tell
from irqsim.analysis.words_entry import ENTRY_WORDS
from irqsim.analysis.words_irq import IRQ_WORDS
from irqsim.analysis.words_message import MESSAGE_WORDS
from irqsim.analysis.words_other import OTHER_WORDS
from irqsim.analysis.words_sched import SCHED_WORDS
from irqsim.analysis.words_softirq import SOFTIRQ_WORDS, action_of
from irqsim.events import (
    CPU_IDLE,
    HRTIMER_EXPIRE_ENTRY,
    IRQ_HANDLER_ENTRY,
    IRQS_OFF,
    PRINT,
    SCHED_SWITCH,
    SOFTIRQ_ENTRY,
    TASK_PREEMPTED,
    TASK_RUNNING,
    TICK_STOP,
    Event,
    Record,
    Value,
)
from irqsim.records import Lost

WORDS: Final[dict[str, Words]] = table(
    ENTRY_WORDS, IRQ_WORDS, MESSAGE_WORDS, SOFTIRQ_WORDS, SCHED_WORDS, OTHER_WORDS
)

EXCEPTIONS: Final = "irqsim"
"""The symbol of the lines that the option `exceptions` adds."""
ENDS: Final = ("exception_entry", "exception_return")
MARKER: Final = "tracing_mark_write"

BEGINS: Final = {IRQ_HANDLER_ENTRY: HARD, SOFTIRQ_ENTRY: SOFT}
"""What a record is the first of, where there are no flags."""
USER_MODES: Final = ("EL0t", "USR")
NO_STATE: Final = 0xFFFFFFFF
"""The state of cpu_idle that says that the CPU goes on."""
DEFAULT_RELEASE: Final = (6, 1)

MESSAGES: Final = (
    ("nobody cared", "rule.nobody_cared"),
    ("Disabling IRQ #", "rule.irq_disabled"),
    (": storm, ", "rule.storm"),
    ("): enabled again", "rule.storm_over"),
    ("): back to interrupts", "rule.storm_over"),
    ("scheduling while atomic", "rule.atomic"),
)
"""What a line of the kernel log has in it, and what is told of it; `message` of all others."""


class Narrator:
    """Tells one log, record by record."""

    def __init__(self, ground: Ground, language: Language) -> None:
        self._ground = ground
        self._language: Language = language
        self._names = ground.names()
        self._places: dict[int, Place] = {}
        self._turns = Turns(Setting())
        self._trail = Trail()
        self.waits = Waits(ground, self._trail)
        self._tasks = Tasks(ground)

    def feed(self, line: int, record: Record) -> list[Sentence]:
        """Take in the next record, and tell it."""
        time_ns, context, event = record
        place = self._places.get(context.cpu)
        if place is None:
            place = self._places[context.cpu] = Place()
        self._trail.feed(line, record)
        self._turns.step(time_ns, context, event)
        level = level_of(context, place, self._ground.has_flags)
        if not self._ground.has_flags:
            level = BEGINS.get(event.tracepoint, level)
        nr_passes = self._turns.nr_passes(context.cpu)
        if not nr_passes:
            place.pass_told = 0
        scene = Scene(time_ns, context, event, place, level, self._ground)
        values = self._values(scene)
        values["nr"] = nr_passes
        if is_exception(event):
            _exception_line(place, values)
        told = [
            tell(WORDS[key], self._language, {**values, **more})
            for key, more in self._tellings(scene, nr_passes)
        ]
        place.level, place.flags = level, context.flags
        return told

    def message(self, text: str) -> list[Sentence]:
        """Tell a line of the kernel log."""
        key = next((key for part, key in MESSAGES if part in text), "message")
        return [tell(WORDS[key], self._language, self._names)]

    def lost(self, lost: Lost) -> list[Sentence]:
        """Tell that records are missing; what was known of the CPU is forgotten."""
        self._places.pop(lost.cpu, None)
        self._turns.lost(lost.cpu)
        self._trail.lost(lost)
        self._tasks.lost()
        return [tell(WORDS["lost"], self._language, {**self._names, "cpu": lost.cpu})]

    def _tellings(self, scene: Scene, nr_passes: int) -> Telling:
        tracepoint = scene.event.tracepoint
        yield from _returned(scene)
        if tracepoint in IRQ_TELLERS:
            yield from IRQ_TELLERS[tracepoint](scene, self.waits)
        elif tracepoint in SOFTIRQ_TELLERS:
            yield from SOFTIRQ_TELLERS[tracepoint](scene, nr_passes)
        elif tracepoint in SCHED_TELLERS:
            yield from SCHED_TELLERS[tracepoint](scene, self._tasks, nr_passes)
        else:
            yield _variant(scene.event), {}
            if tracepoint is HRTIMER_EXPIRE_ENTRY:
                if symbol(scene.event["function"]) in TICK_FUNCTIONS:
                    yield "rule.tick", {}

    def _values(self, scene: Scene) -> Values:
        """What every sentence about this record may use."""
        event = scene.event
        values: Values = {each.name: _shown(event[each.name]) for each in event.tracepoint.fields}
        for name in ("cpu", "cpu_id"):
            if name in values:
                values["cpu_to"] = values[name]
        if "fun" in values:
            values["step"] = values["fun"]
        if "func" in values:
            values["function"] = values["func"]
        vec = values.get("vec")
        if isinstance(vec, int):
            values["vector"] = vector_name(vec)
            release = self._ground.release or DEFAULT_RELEASE
            values["action"], values["action_file"] = action_of(vector_name(vec), release)
        expires, now = values.get("expires"), values.get("now")
        if isinstance(expires, int) and isinstance(now, int):
            values["jiffies"] = expires - now
        values.update(self._names)
        values["cpu"] = scene.context.cpu
        values["who"] = scene.who
        values["limit"] = self._ground.softirq_restart
        values["preempt"] = self._ground.preempt
        return values


def is_exception(event: Event) -> bool:
    """It is a line of the option `exceptions`, and no real kernel's."""
    return event.tracepoint is PRINT and event["ip"] == EXCEPTIONS


def _exception_line(place: Place, values: Values) -> None:
    """Note and add what a line of the option `exceptions` says."""
    kind, *words = str(values["buf"]).split()
    said = dict(word.partition("=")[::2] for word in words)
    if kind == ENDS[0]:
        place.from_user = said.get("from") in USER_MODES
    values["mode_from"], values["mode_to"] = said.get("from"), said.get("to")
    values["exception_vector"] = said.get("vector")
    values["bytes"] = said.get("saved", said.get("restored"))


def _variant(event: Event) -> str:
    """Which words stand for an event that needs nothing but its values."""
    tracepoint = event.tracepoint
    if tracepoint is PRINT and event["ip"] == MARKER:
        return "print.marker"
    if is_exception(event):
        kind = str(event["buf"]).partition(" ")[0]
        return f"print.{kind}" if kind in ENDS else "print"
    if tracepoint is CPU_IDLE and event["state"] in (NO_STATE, -1):
        return "cpu_idle.exit"
    if tracepoint is TICK_STOP and not event["success"]:
        return "tick_stop.kept"
    return tracepoint.name


def _shown(value: Value) -> Value:
    if isinstance(value, str):
        # Of a symbol in a module, or with an offset, the name.
        return symbol(value) if " [" in value else value
    return "?" if value is None else value


def _returned(scene: Scene) -> Telling:
    """Tell that exceptions are over, if this record, no entry of a handler, shows it."""
    tracepoint = scene.event.tracepoint
    if tracepoint is IRQ_HANDLER_ENTRY or scene.level == HARD:
        return
    is_switch = tracepoint is SCHED_SWITCH
    if scene.context.flags & IRQS_OFF and not is_switch:
        # It may be in the exit of the interrupt still.
        return
    if not scene.place.leave(scene.level):
        return
    if is_switch and scene.context.pid:
        state = scene.event["prev_state"]
        if isinstance(state, int) and state & ~TASK_PREEMPTED == TASK_RUNNING:
            # On the way back it gives way: the return comes later.
            return
    yield "return", {}
