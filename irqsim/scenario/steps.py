"""The step language: what a driver's code is made of, as one table, and its reader.

A step is a string, ``verb argument…``, that reads like the driver's source; control steps
are inline tables.  ``STEPS`` is the only list of verbs: reading, ``irqsim list steps`` and
the JSON Schema follow from it.  Steps that may sleep are allowed everywhere, because the
kernel itself reports the mistake when the run gets there.

A reference may hold spaces (``disable_irq sh B``): the words that a verb's other arguments
do not need belong to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from attrs import evolve, frozen

from irqsim.scenario.names import hint, nearest, one_of, shown
from irqsim.scenario.recorded_steps import (
    NR_IPIS,
    REPLAY_ROWS,
    TASK_STATES,
    number_of,
    targets_of,
)
from irqsim.scenario.spec import AnyStep, Arg, Body, Chance, If, Repeat, Replay, Step
from irqsim.units import SOFTIRQ_NAMES, parse_cpulist, parse_duration

HANDLER: Final = "handler"
THREAD: Final = "thread"
TASK: Final = "task"
CONTEXTS: Final = (HANDLER, THREAD, "softirq", "tasklet", "work", "timer", "hrtimer", TASK)

ANYWHERE: Final = "anywhere"
PROCESS_CONTEXT: Final = "process context"
REPLAY: Final = "a replay's file"

IRQRETURNS: Final = ("IRQ_NONE", "IRQ_HANDLED", "IRQ_WAKE_THREAD")
IF_TESTS: Final = ("in_interrupt", "in_hardirq", "in_softirq", "in_task", "irqs_disabled")
REPEAT_MAX: Final = 1_000_000_000
NESTING_MAX: Final = 32
PPM: Final = 1_000_000

# What an argument may be.  References name a member of the list of tables of that name.
REFERENCES: Final = ("tasklet", "napi", "work", "timer", "hrtimer", "task", "device")
LABELS: Final = ("lock", "mutex", "queue")


@frozen
class StepKind:
    """One verb: its arguments, where it is allowed, and what it does.

    ``params`` are among REFERENCES, LABELS (names that need no declaration), ``time``,
    ``cpu``, ``cpus``, ``softirq``, ``irqreturn`` and ``words``.
    """

    verb: str
    params: tuple[str, ...]
    where: str
    what: str

    @property
    def usage(self) -> str:
        """The verb with its arguments in capitals: ``mod_timer TIMER TIME``."""
        return " ".join((self.verb, *(param.upper() for param in self.params)))

    def is_allowed_in(self, context: str) -> bool:
        """Whether code of this context may hold the step."""
        return self.where in (ANYWHERE, PROCESS_CONTEXT) or context in self.where.split(", ")

    def is_of_replays(self) -> bool:
        """Whether only the file of a replay may hold the step."""
        return self.where == REPLAY


def _kinds(where: str, *rows: tuple[str, str]) -> tuple[StepKind, ...]:
    kinds = []
    for usage, what in rows:
        verb, *params = usage.split()
        kinds.append(StepKind(verb, tuple(params), where, what))
    return tuple(kinds)


STEPS: Final[tuple[StepKind, ...]] = (
    *_kinds(ANYWHERE, ("run time", "spend CPU time; the verb may be left out")),
    *_kinds("handler, thread", ("ack", "quiet this device (ack = \"explicit\")")),
    *_kinds(HANDLER, ("return irqreturn", "end the handler with this value")),
    *_kinds(
        ANYWHERE,
        ("raise_softirq softirq", "mark a softirq vector pending on this CPU"),
        ("tasklet_schedule tasklet", "queue a tasklet and raise TASKLET"),
        ("tasklet_hi_schedule tasklet", "queue a tasklet and raise HI"),
        ("tasklet_disable tasklet", "keep a tasklet from running, and wait until it does not"),
        ("tasklet_enable tasklet", "let a disabled tasklet run again"),
        ("tasklet_kill tasklet", "wait until a tasklet has run and is not queued"),
        ("napi_schedule napi", "mask the device's interrupt and raise NET_RX to poll it"),
        ("queue_work work", "queue work on this CPU's pool"),
        ("queue_work_on cpu work", "queue work on another CPU's pool"),
        ("queue_delayed_work work time", "queue work after a delay"),
        ("mod_timer timer time", "arm a timer, relative to now"),
        ("del_timer timer", "disarm a timer"),
        ("hrtimer_start hrtimer time", "arm an hrtimer, relative to now"),
        ("hrtimer_cancel hrtimer", "disarm an hrtimer"),
        ("wake_up_process task", "wake a task that sleeps in schedule"),
        ("smp_send_reschedule cpu", "send a reschedule IPI"),
        ("smp_call_function cpu time", "have another CPU run a function that takes this long"),
        ("irq_work_queue time", "run a function in an IPI to this CPU"),
        ("disable_irq device", "disable the device's line and wait for its handlers"),
        ("disable_irq_nosync device", "disable the device's line"),
        ("enable_irq device", "undo one disable"),
        ("irq_set_affinity device cpus", "move the device's line"),
        ("synchronize_irq device", "wait for the line's handlers and threads"),
        ("request_irq device", "request the line of a device with probe = false"),
        ("free_irq device", "give the line back"),
        ("local_irq_disable", "mask interrupts on this CPU"),
        ("local_irq_enable", "unmask them"),
        ("local_bh_disable", "hold softirqs back on this CPU"),
        ("local_bh_enable", "let them run, now if they are pending"),
        ("preempt_disable", "keep the CPU"),
        ("preempt_enable", "give it up where it was wanted"),
        ("spin_lock lock", "take a lock; spin while another CPU holds it"),
        ("spin_unlock lock", "release it"),
        ("spin_lock_irqsave lock", "mask interrupts and take a lock"),
        ("spin_unlock_irqrestore lock", "release it and restore the mask"),
        ("spin_lock_bh lock", "hold softirqs back and take a lock"),
        ("spin_unlock_bh lock", "release it and let softirqs run"),
    ),
    *_kinds(
        REPLAY,
        *REPLAY_ROWS,
    ),
    *_kinds(
        PROCESS_CONTEXT,
        ("mutex_lock mutex", "take a mutex; sleep while another task holds it"),
        ("mutex_unlock mutex", "release it"),
        ("msleep time", "sleep on a timer"),
        ("wait_event queue", "sleep until a wake_up that nobody has used yet"),
        ("schedule", "sleep until wake_up_process"),
        ("sched_yield", "let others of the same priority run"),
        ("cond_resched", "let others run if one waits for this CPU"),
    ),
    *_kinds(ANYWHERE, ("wake_up queue", "wake one waiter of a queue")),
    *_kinds(TASK, ("syscall time", "kernel time of a user task")),
    *_kinds(
        ANYWHERE,
        ("trace_printk words", "write a line into the trace"),
        ("panic words", "the run ends there"),
    ),
)
STEP_NAMED: Final[dict[str, StepKind]] = {kind.verb: kind for kind in STEPS}

CONTROL_STEPS: Final = (
    ("{ repeat = N, do = [...] }", "do the steps N times"),
    ("{ chance = P, do = [...], else = [...] }", "one or the other, at random"),
    ('{ replay = "FILE" }', "each time what the next line of the file says"),
    ('{ if = "TEST", do = [...], else = [...] }', f"TEST is {one_of(IF_TESTS)}"),
)
# The arguments that may be more than one word; a time only where there is none of these.
_MANY_WORDS: Final = ("words", "targets", *REFERENCES, *LABELS)
_CONTROLS: Final = ("repeat", "chance", "if")
_TOKEN: Final = re.compile(r"\S+")
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NUMBER: Final = re.compile(r"-?(0x[0-9a-fA-F]+|0|[1-9][0-9]*)")
_BARE_TIME: Final = re.compile(r"[0-9~]")


# How a fault in a body is reported: the keys and indices that lead to it, and the message.
Path = tuple[str | int, ...]
Report = Callable[[Path, str], None]


@frozen
class Scope:
    """What steps may refer to: the names of each list of tables, the CPUs, the tick, and the
    files of replays (how one is read: its name, the context, and how faults are reported)."""

    names: Mapping[str, Collection[str]]
    nr_cpus: int
    tick_ns: int
    read_replay: Callable[[object, str, Report, Path], Replay] | None = None


LineOf = Callable[[tuple[str | int, ...]], int | None]


def parse_step(
    text: str, context: str, scope: Scope, line: int | None = None, in_replay: bool = False
) -> Step:
    """Read one step that stands in code of ``context``, or in the file of a replay for it.

    Raises ValueError with what is wrong.
    """
    found = _CONTROL_CHARACTER.search(text)
    if found is not None:
        raise ValueError(f"a step is one line of text, got {shown(text)}")
    tokens = list(_TOKEN.finditer(text))
    if not tokens:
        raise ValueError("expected a step such as 'run 2us', got an empty string")
    verb = tokens[0].group()
    kind = STEP_NAMED.get(verb)
    if kind is None and _BARE_TIME.match(verb):
        return Step("run", (parse_duration(text.strip(), scope.tick_ns),), line)
    if kind is None:
        raise ValueError(f"unknown step {shown(verb)}{hint(verb, STEP_NAMED)}")
    if not kind.is_allowed_in(context) and not (in_replay and kind.is_of_replays()):
        raise ValueError(
            f"{verb!r} is for {' and '.join(kind.where.split(', '))} code, not for {context} code"
        )
    words = _arguments(kind, text, tokens[1:])
    args = (_argument(*pair, scope) for pair in zip(kind.params, words, strict=True))
    return Step(verb, tuple(args), line)


def parse_body(
    value: object,
    context: str,
    scope: Scope,
    report: Report,
    line_of: LineOf = lambda path: None,
    path: tuple[str | int, ...] = (),
) -> Body:
    """Read a list of steps; every fault is reported with its path below ``value``."""
    if not isinstance(value, list):
        report(path, f"expected a list of steps, got {shown(value)}")
        return ()
    if len(path) > 2 * NESTING_MAX:
        report(path, f"steps are nested more than {NESTING_MAX} deep")
        return ()
    body: list[AnyStep] = []
    for index, item in enumerate(value):
        here = (*path, index)
        if isinstance(item, dict):
            control = _control(item, context, scope, report, line_of, here)
            if control is not None:
                body.append(control)
            continue
        try:
            if not isinstance(item, str):
                raise ValueError(f"expected a step such as 'run 2us', got {shown(item)}")
            body.append(parse_step(item, context, scope, line_of(here)))
        except ValueError as error:
            report(here, str(error))
    return tuple(body)


def steps_of(body: Body) -> Iterator[Step]:
    """All steps of a body, those inside control steps too, in the order of the text."""
    for item in body:
        if isinstance(item, Step):
            yield item
            continue
        yield from steps_of(item.body)
        if not isinstance(item, Repeat | Replay):
            yield from steps_of(item.otherwise)


def _arguments(kind: StepKind, text: str, tokens: list[re.Match[str]]) -> list[str]:
    """Divide the words behind the verb among its parameters."""
    nr_params = len(kind.params)
    nr_spare = len(tokens) - nr_params
    flexible = [index for index, param in enumerate(kind.params) if param in _MANY_WORDS]
    flexible = flexible or [index for index, param in enumerate(kind.params) if param == "time"]
    if nr_spare < 0 or (nr_spare > 0 and not flexible):
        wanted = {0: "no argument", 1: "one argument", 2: "two arguments"}[nr_params]
        raise ValueError(f"{kind.usage!r} takes {wanted}, got {shown(text.strip())}")
    if nr_spare == 0:
        return [token.group() for token in tokens]
    at = flexible[0]
    words = [token.group() for token in tokens[:at]]
    words.append(text[tokens[at].start() : tokens[at + nr_spare].end()])
    return words + [token.group() for token in tokens[at + nr_spare + 1 :]]


def _argument(param: str, word: str, scope: Scope) -> Arg:
    if param == "time":
        return parse_duration(word, scope.tick_ns)
    if param == "cpu":
        return _cpu(word, scope.nr_cpus)
    if param == "cpus":
        cpus = parse_cpulist(word)
        check_cpus(cpus, scope.nr_cpus)
        return cpus
    if param == "softirq":
        return _one_of("softirq", word, SOFTIRQ_NAMES)
    if param == "number":
        return number_of(word)
    if param == "ipi":
        return number_of(word, NR_IPIS - 1)
    if param == "targets":
        for target in targets_of(word):
            _cpu(target, scope.nr_cpus)
        return word
    if param == "state":
        return _one_of("state", word, tuple(TASK_STATES))
    if param == "irqreturn":
        return _irqreturn(word)
    if param in REFERENCES:
        return check_reference(param, word, scope.names.get(param, ()))
    return word


def check_reference(table: str, name: str, names: Collection[str]) -> str:
    """The name of a member of a list of tables.  Raises ValueError for one that is none."""
    if name in names:
        return name
    if not names:
        raise ValueError(f"unknown {table} {shown(name)}: the scenario has no [[{table}]]")
    raise ValueError(f"unknown {table} {shown(name)}{hint(name, names)}")


def check_cpus(cpus: Sequence[int], nr_cpus: int) -> None:
    """Raises ValueError for a CPU that the machine does not have."""
    for cpu in cpus:
        if not 0 <= cpu < nr_cpus:
            raise ValueError(f"expected a CPU of this machine (0-{nr_cpus - 1}), got {cpu}")


def _cpu(word: str, nr_cpus: int) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 10):
        raise ValueError(f"expected a CPU of this machine (0-{nr_cpus - 1}), got {shown(word)}")
    check_cpus((int(word),), nr_cpus)
    return int(word)


def _irqreturn(word: str) -> str:
    """By name, or as a number: what a driver should not return (-22, 0x7)."""
    number = _NUMBER.fullmatch(word)
    if number is None:
        return _one_of("return value", word, IRQRETURNS)
    value = int(word, 0)
    if not -(1 << 31) <= value < 1 << 32:
        raise ValueError(f"expected a return value of 32 bits, got {shown(word)}")
    return word


def _one_of(what: str, word: str, choices: Sequence[str]) -> str:
    if word not in choices:
        raise ValueError(f"unknown {what} {shown(word)}{hint(word, choices)}")
    return word


def _control(
    table: Mapping[str, object],
    context: str,
    scope: Scope,
    report: Report,
    line_of: LineOf,
    path: tuple[str | int, ...],
) -> AnyStep | None:
    """Read a control step; None if it is not known which one it is."""
    if "replay" in table and scope.read_replay is not None:
        return _replay(table, context, scope, report, line_of, path)
    heads = [key for key in table if key in _CONTROLS]
    if len(heads) != 1:
        found = " and ".join(repr(key) for key in heads or table) or "none"
        heads_text = "'repeat', 'chance', 'if' or 'replay'"
        report(path, f"expected a control step with {heads_text}, got {found}")
        return None
    head = heads[0]
    allowed = (head, "do") if head == "repeat" else (head, "do", "else")
    for key in table:
        if key not in allowed:
            meant = nearest(key, allowed)
            end = f"; did you mean {meant!r}?" if meant else f"; expected {one_of(allowed)}"
            report((*path, key), f"unknown key{end}")
    if "do" not in table:
        report(path, f"a {head!r} step needs 'do', a list of steps")
    line = line_of(path)
    bodies = [
        parse_body(table[key], context, scope, report, line_of, (*path, key))
        if key in table
        else ()
        for key in ("do", "else")
    ]
    try:
        if head == "repeat":
            return Repeat(_count(table[head]), bodies[0], line)
        if head == "chance":
            return Chance(_ppm(table[head]), bodies[0], bodies[1], line)
        return If(_test(table[head]), bodies[0], bodies[1], line)
    except ValueError as error:
        report((*path, head), str(error))
        return None


def _replay(
    table: Mapping[str, object],
    context: str,
    scope: Scope,
    report: Report,
    line_of: LineOf,
    path: Path,
) -> Replay | None:
    """Read the file of a ``{ replay = "FILE" }``; None if it cannot be."""
    assert scope.read_replay is not None
    for key in table:
        if key != "replay":
            report((*path, key), "unknown key; 'replay' goes with no other")
    try:
        replay = scope.read_replay(table["replay"], context, report, (*path, "replay"))
    except ValueError as error:
        report((*path, "replay"), str(error))
        return None
    return evolve(replay, line=line_of(path))


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= REPEAT_MAX:
        raise ValueError(f"expected a count (0-{REPEAT_MAX}), got {shown(value)}")
    return value


def _ppm(value: object) -> int:
    """A probability in parts per million, rounded up: a chance never becomes none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"expected a chance between 0.0 and 1.0, got {shown(value)}")
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError(f"expected a chance between 0.0 and 1.0, got {shown(value)}")
    if not 0 <= value <= 1:
        raise ValueError(f"expected a chance between 0.0 and 1.0, got {shown(value)}")
    scaled = Decimal(value) * PPM
    return int(scaled.to_integral_value(rounding="ROUND_CEILING"))


def _test(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a test such as 'in_interrupt', got {shown(value)}")
    return _one_of("test", value, IF_TESTS)
