"""Real logs with one fault put into each, and what the checker makes of them: `make corruptions`.

Every fault is drawn from a seed: a kind, a capture, a place in it.  It is seen (a strict law is
broken), suspected (only a law that has exceptions is), or it is legal: then a rule of
`tests.legal` shows why a real kernel can print the log as it stands.  What is none of these is
missed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from attrs import evolve, frozen

from irqsim.analysis.check import INVARIANTS, Checker, Setting
from irqsim.events import (
    HARDIRQ,
    HRTIMER_EXPIRE_EXIT,
    IPI_EXIT,
    IRQ_HANDLER_EXIT,
    IRQS_OFF,
    NEED_RESCHED,
    PREEMPT_RESCHED,
    SOFTIRQ,
    SOFTIRQ_EXIT,
    TASKLET_EXIT,
    TIMER_EXPIRE_EXIT,
    WORKQUEUE_EXECUTE_END,
    Context,
    Event,
    Record,
    Value,
)
from irqsim.prng import stream
from irqsim.trace.parse import LineParser, classify
from tests.legal import why_legal
from tests.reality import reference_folder

T = TypeVar("T")

NR_CORRUPTIONS: Final = 300
NR_RECORDS_MIN: Final = 100
EXITS: Final = (
    IRQ_HANDLER_EXIT, SOFTIRQ_EXIT, IPI_EXIT, TASKLET_EXIT, TIMER_EXPIRE_EXIT,
    HRTIMER_EXPIRE_EXIT, WORKQUEUE_EXECUTE_END,
)  # fmt: skip
NOT_WHOLE: Final = ("fmt-clock", "lost-events", "mod-nobody")
"""Logs whose times are none, from which a reader took pages, or that somebody has shortened."""
UNTOUCHED: Final = ("ftrace",)
"""Systems whose entries say nothing that a law could be about."""


@frozen
class Log:
    """A capture, read."""

    name: str
    setting: Setting
    records: list[Record]


@frozen
class Corruption:
    """A log with one fault in it."""

    kind: str
    log: Log
    place: int
    """Index of the first record that is not what it was."""
    records: list[Record]
    what: str


class Draw:
    """Draws from one seed."""

    def __init__(self, seed: int) -> None:
        self._stream = stream(seed, "corruption")

    def below(self, limit: int) -> int:
        return self._stream.below(limit)

    def one_of(self, choices: list[T]) -> T:
        return choices[self._stream.below(len(choices))]


Kind = Callable[[Draw, Log], Corruption | None]


def is_known(record: Record) -> bool:
    """Whether it is a tracepoint's, and not a function's or a program's."""
    return record[2].tracepoint.system not in UNTOUCHED


def next_on_cpu(records: list[Record], place: int) -> int | None:
    """The next record of the same CPU."""
    cpu = records[place][1].cpu
    return next(
        (at for at in range(place + 1, len(records)) if records[at][1].cpu == cpu), None
    )


def some_place(
    draw: Draw, log: Log, suits: Callable[[Record], bool] = is_known
) -> int | None:
    """The index of a record that suits."""
    places = [at for at, record in enumerate(log.records) if is_known(record) and suits(record)]
    return draw.one_of(places) if places else None


def replaced(kind: str, log: Log, place: int, record: Record, what: str) -> Corruption:
    """The log with another record at a place."""
    records = list(log.records)
    records[place] = record
    return Corruption(kind, log, place, records, what)


def dropped(draw: Draw, log: Log) -> Corruption | None:
    place = some_place(draw, log)
    if place is None:
        return None
    records = log.records[:place] + log.records[place + 1 :]
    return Corruption("a line dropped", log, place, records, str(log.records[place][2]))


def doubled(draw: Draw, log: Log) -> Corruption | None:
    place = some_place(draw, log)
    if place is None:
        return None
    records = log.records[: place + 1] + log.records[place:]
    return Corruption("a line twice", log, place + 1, records, str(log.records[place][2]))


def swapped(draw: Draw, log: Log) -> Corruption | None:
    """Two lines of a CPU change places; the times stay where they are."""
    place = some_place(draw, log)
    other = None if place is None else next_on_cpu(log.records, place)
    if place is None or other is None or not is_known(log.records[other]):
        return None
    records = list(log.records)
    first, second = records[place], records[other]
    if first[1:] == second[1:]:
        return None
    records[place], records[other] = (first[0], *second[1:]), (second[0], *first[1:])
    return Corruption("two lines swapped", log, place, records, f"{first[2]} and {second[2]}")


def moved(draw: Draw, log: Log) -> Corruption | None:
    """A line goes behind the next few of its CPU, and takes the time of the last of them."""
    place = some_place(draw, log)
    if place is None:
        return None
    target: int | None = place
    for _ in range(2 + draw.below(6)):
        target = None if target is None else next_on_cpu(log.records, target)
    if target is None:
        return None
    _, context, event = log.records[place]
    late = (log.records[target][0], context, event)
    records = [*log.records[:place], *log.records[place + 1 : target + 1], late]
    records += log.records[target + 1 :]
    return Corruption("a line moved", log, place, records, str(event))


def with_cpu(context: Context, cpu: int) -> Context:
    comm, pid, tgid, _, flags, count = context.contents()
    return Context(comm, pid, tgid, cpu, flags, count)


def with_flags(context: Context, flags: int, preempt_count: int | None = None) -> Context:
    comm, pid, tgid, cpu, _, count = context.contents()
    return Context(comm, pid, tgid, cpu, flags, count if preempt_count is None else preempt_count)


def other_cpu(draw: Draw, log: Log) -> Corruption | None:
    cpus = list(dict.fromkeys(record[1].cpu for record in log.records))
    place = some_place(draw, log)
    if place is None or len(cpus) < 2:
        return None
    time_ns, context, event = log.records[place]
    cpu = draw.one_of([each for each in cpus if each != context.cpu])
    record = (time_ns, with_cpu(context, cpu), event)
    return replaced("a CPU changed", log, place, record, f"to {cpu}: {event}")


def other_flag(draw: Draw, log: Log) -> Corruption | None:
    """One letter becomes another that exists."""
    place = some_place(draw, log)
    if place is None or not log.setting.has_flags:
        return None
    time_ns, context, event = log.records[place]
    flags, count = context.flags, context.preempt_count
    letter = draw.below(4)
    if letter == 0:
        new = Context.contents(with_flags(context, flags ^ IRQS_OFF))
    elif letter == 1:
        has = flags & (NEED_RESCHED | PREEMPT_RESCHED)
        flags &= ~(NEED_RESCHED | PREEMPT_RESCHED)
        new = Context.contents(
            with_flags(context, flags if has else flags | NEED_RESCHED | PREEMPT_RESCHED)
        )
    elif letter == 2:
        place_bits = HARDIRQ | SOFTIRQ
        others = [each for each in (0, HARDIRQ, SOFTIRQ, place_bits) if each != flags & place_bits]
        new = Context.contents(with_flags(context, flags & ~place_bits | draw.one_of(others)))
    else:
        depth = count & 15
        new = Context.contents(with_flags(context, flags, count & ~15 | (0 if depth else 1)))
    record = (time_ns, Context(*new), event)
    return replaced("a flag flipped", log, place, record, f"letter {letter + 1}: {event}")


def other_ret(draw: Draw, log: Log) -> Corruption | None:
    place = some_place(draw, log, lambda record: record[2].tracepoint is IRQ_HANDLER_EXIT)
    if place is None:
        return None
    time_ns, context, event = log.records[place]
    irq, ret = event.values
    new = Event(event.tracepoint, (irq, 0 if ret else 1))
    return replaced("a wrong ret", log, place, (time_ns, context, new), str(new))


def lone_exit(draw: Draw, log: Log) -> Corruption | None:
    """An exit of the log once more, somewhere else, as a line of who is there."""
    source = some_place(draw, log, lambda record: record[2].tracepoint in EXITS)
    place = some_place(draw, log)
    if source is None or place is None:
        return None
    time_ns, context, _ = log.records[place]
    event = log.records[source][2]
    records = [*log.records[: place + 1], (time_ns, context, event), *log.records[place + 1 :]]
    return Corruption("an exit without entry", log, place + 1, records, str(event))


def other_task(draw: Draw, log: Log) -> Corruption | None:
    place = some_place(draw, log)
    if place is None:
        return None
    time_ns, context, event = log.records[place]
    tasks = {(record[1].comm, record[1].pid): record[1].tgid for record in log.records}
    del tasks[context.comm, context.pid]
    if not tasks:
        return None
    (comm, pid), tgid = draw.one_of(list(tasks.items()))
    new = Context(comm, pid, tgid, context.cpu, context.flags, context.preempt_count)
    return replaced("a task changed", log, place, (time_ns, new, event), f"to {comm}: {event}")


def other_value(draw: Draw, log: Log) -> Corruption | None:
    """A field takes the value that another record of its tracepoint has there."""
    place = some_place(draw, log, lambda record: bool(record[2].values))
    if place is None:
        return None
    time_ns, context, event = log.records[place]
    position = draw.below(len(event.values))
    seen: dict[Value, None] = {}
    for _, _, other in log.records:
        if other.tracepoint is event.tracepoint:
            seen[other.values[position]] = None
    seen.pop(event.values[position])
    if not seen:
        return None
    values = list(event.values)
    values[position] = draw.one_of(list(seen))
    new = Event(event.tracepoint, tuple(values))
    what = f"{event.tracepoint.fields[position].name}: {event} {new}"
    return replaced("a field changed", log, place, (time_ns, context, new), what)


def other_time(draw: Draw, log: Log) -> Corruption | None:
    """A line is some microseconds or milliseconds early or late."""
    place = some_place(draw, log)
    if place is None:
        return None
    time_ns, context, event = log.records[place]
    by_ns = draw.one_of([-10_000_000, -100_000, -10_000, 10_000, 100_000, 10_000_000])
    if by_ns + time_ns < 0:
        return None
    record = (time_ns + by_ns, context, event)
    return replaced("a time changed", log, place, record, f"by {by_ns} ns: {event}")


KINDS: Final[tuple[Kind, ...]] = (
    dropped, doubled, swapped, moved, other_cpu, other_flag, other_ret, lone_exit, other_task,
    other_value, other_time,
)  # fmt: skip


# -- judging -----------------------------------------------------------------------------


@frozen
class Verdict:
    """What was made of a corruption: seen, suspected, legal or missed, and why."""

    corruption: Corruption
    outcome: str
    why: str


def all_broken(records: list[Record], setting: Setting, is_eager: bool = False) -> list[str]:
    """The laws that a log breaks, in the order of its records.

    `is_eager`: laws do not wait for the tracepoints that they need.
    """
    laws = [evolve(each, needs=()) for each in INVARIANTS] if is_eager else INVARIANTS
    checker = Checker(laws, setting=setting, with_exceptions=True)
    names = dict.fromkeys(
        violation.name for record in records for violation in checker.feed(record)
    )
    return list(names)


def broken(records: list[Record], setting: Setting) -> str:
    """The first law that a log breaks: a strict one if there is one."""
    names = all_broken(records, setting)
    strict = [each.name for each in INVARIANTS if each.is_strict and each.name in names]
    return next(iter([*strict, *names]), "")


def judge(corruption: Corruption) -> Verdict:
    name = broken(corruption.records, corruption.log.setting)
    if name:
        is_strict = next(each.is_strict for each in INVARIANTS if each.name == name)
        return Verdict(corruption, "seen" if is_strict else "suspected", name)
    reason = why_legal(corruption)
    return Verdict(corruption, "legal" if reason else "missed", reason)


# -- the logs ----------------------------------------------------------------------------


def read_log(path: Path) -> Log:
    """A capture without its header and whatever is not a record."""
    place = str(path)
    is_rt = "-rt-" in place
    is_new = "6.12" in place or "x86" in place
    layout = "6.1-rt" if is_rt else ("6.12" if is_new else "6.1")
    parser = LineParser(layout)
    text = path.read_bytes().decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    records = [parser.parse(line) for line in text.split("\n") if classify(line) == "event"]
    release = (6, 12) if is_new else (6, 1)
    name = "/".join(path.parts[-3:-1])
    return Log(name, Setting(release=release, is_rt=is_rt), records)


def good_logs(reference: Path) -> list[Log]:
    """The whole logs of interrupts."""
    logs = []
    for path in sorted(reference.glob("*/**/trace")):
        if any(each in str(path) for each in NOT_WHOLE):
            continue
        log = read_log(path)
        if sum(is_known(record) for record in log.records) >= NR_RECORDS_MIN:
            logs.append(log)
    return logs


def corruptions(logs: list[Log], nr: int, first: int = 0) -> list[Corruption]:
    """The first `nr` of the series, the kinds in turn."""
    groups: list[list[Log]] = [[], []]
    for log in logs:
        groups["captures" in log.name].append(log)
    found = []
    for seed in range(first, first + nr):
        draw = Draw(seed)
        made = None
        while made is None:
            # As often from the captures as from the many small logs beside them.
            group = draw.one_of([each for each in groups if each])
            made = KINDS[seed % len(KINDS)](draw, draw.one_of(group))
        found.append(made)
    return found


def main(words: list[str]) -> int:
    """Print the table, and below it what was missed."""
    reference = reference_folder()
    if reference is None:
        print("no captures of real kernels (IRQSIM_REFERENCE)")
        return 0
    nr = int(words[0]) if words else NR_CORRUPTIONS
    first = int(words[1]) if len(words) > 1 else 0
    verdicts = [judge(each) for each in corruptions(good_logs(reference), nr, first)]
    outcomes = ("seen", "suspected", "legal", "missed")
    print(f"{'fault':<24}{'made':>8}", *(f"{outcome:>10}" for outcome in outcomes))
    kinds = list(dict.fromkeys(each.corruption.kind for each in verdicts))
    for kind in [*kinds, "all"]:
        counts = Counter(
            each.outcome for each in verdicts if kind in ("all", each.corruption.kind)
        )
        figures = (f"{counts[outcome]:10}" for outcome in outcomes)
        print(f"{kind:<24}{counts.total():8}", *figures)
    for verdict in verdicts:
        if verdict.outcome == "missed" or "-v" in words:
            each = verdict.corruption
            print(f"{verdict.outcome}: {each.kind}: {each.log.name}, record {each.place}: "
                  f"{each.what}: {verdict.why}")
    return any(each.outcome == "missed" for each in verdicts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
