"""Two logs as what happened on each CPU: where they part, and what became of each event.

A log is taken in as one strand of events for each CPU (irqsim.analysis.strand), told by their
names (irqsim.analysis.identity), and the strands of the two are aligned
(irqsim.analysis.alignment).  When something happened does not count, unless it is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from attrs import Factory, define, frozen

from irqsim.analysis.alignment import Parted, Same, align
from irqsim.analysis.distribution import Distribution
from irqsim.analysis.identity import Identities, Names
from irqsim.analysis.measures import NOBODY
from irqsim.analysis.report import Report, Reporter
from irqsim.analysis.strand import Entry, Strand
from irqsim.events import PRINT, UNKNOWN, Context, Event, Record, Tracepoint
from irqsim.records import UNKNOWN_TGID, Lost, TraceHeader

CONTEXT: Final = 3
"""Events around the first difference that are shown."""
EDITS: Final = 6
"""Of what only one log has there, at most so many are shown."""
BLOCK: Final = 4096
"""Times that are compared together."""


@frozen
class Settings:
    """What of two logs is compared."""

    events: tuple[str, ...] = ()
    """As in set_event; none: all."""
    with_context: bool = False
    """Task and flags count."""
    renumber_cpus: bool = False
    """The numbers of CPUs do not count."""
    with_times: bool = False
    with_report: bool = True
    """Measure both, which takes the longest; is_same() needs no measures."""


class Side:
    """One of the two logs."""

    __slots__ = ("_identities", "_wanted", "contexts", "counts", "events",
                 "first_ns", "name", "names",
                 "report", "reporter", "settings", "strands")  # fmt: skip

    def __init__(self, name: str, header: TraceHeader, names: Names, settings: Settings) -> None:
        self.name = name
        self.names = names
        self.settings = settings
        self.reporter = Reporter(name, header, by_name=True)
        self.report: Report = self.reporter.report
        self.strands: dict[int, Strand] = {}
        self.counts: Counter[int] = Counter()
        """How often each event happened, when the log has ended."""
        self.first_ns: int | None = None
        self.contexts: dict[int, Context] = {}
        self.events: dict[int, Event] = {}
        """Those that come again, by their index."""
        self._wanted: dict[Tracepoint, bool] = {}
        self._identities = Identities(
            names,
            with_cpus=not settings.renumber_cpus,
            with_context=settings.with_context,
        )

    def take(self, line: int, item: Record | Lost) -> None:
        """Take in the next record or loss, and the number of its line."""
        if isinstance(item, Lost):
            self.reporter.lost(item)
            return
        if self.settings.with_report:
            self.reporter.feed(item)
        time_ns, context, event = item
        number = self._identities.number(context, event)
        if self.settings.events and not self._is_wanted(event):
            return
        if self.first_ns is None or time_ns < self.first_ns:
            self.first_ns = time_ns
        strand = self.strands.get(context.cpu)
        if strand is None:
            strand = self.strands[context.cpu] = Strand()
        if context.index >= 0:
            self.contexts[context.index] = context
        if event.index >= 0:
            self.events[event.index] = event
        strand.append(number, time_ns, line, context.index, event.index)

    def finish(self) -> None:
        """End the log."""
        for strand in self.strands.values():
            for chunk in strand.chunks():
                self.counts.update(chunk)
        self.report = self.reporter.finish()

    def strand(self, cpu: int) -> Strand:
        """What happened on a CPU: nothing, if the log has nothing of it."""
        found = self.strands.get(cpu)
        return Strand() if found is None else found

    def tracepoints(self) -> list[str]:
        """The names of the events that it has."""
        names = (self.names.texts[number].partition(":")[0] for number in self.counts)
        return sorted(dict.fromkeys(names))

    def record(self, cpu: int, entry: Entry) -> Record:
        """An event as it was, or what is still known of it."""
        context = self.contexts.get(entry.context)
        if context is None:
            context = Context("<...>", 0, UNKNOWN_TGID, cpu, 0, 0)
        event = self.events.get(entry.event)
        if event is None:
            event = Event(UNKNOWN, ("", self.names.texts[entry.number]))
        return entry.time_ns, context, event

    def close(self) -> None:
        """Forget the strands."""
        for strand in self.strands.values():
            strand.close()

    def _is_wanted(self, event: Event) -> bool:
        """Whether one of the patterns names its system, its name or both."""
        tracepoint = event.tracepoint
        if tracepoint is UNKNOWN or tracepoint is PRINT:
            return self._matches("", str(event.values[0]))
        found = self._wanted.get(tracepoint)
        if found is None:
            found = self._matches(tracepoint.system, tracepoint.name)
            self._wanted[tracepoint] = found
        return found

    def _matches(self, system: str, name: str) -> bool:
        for pattern in self.settings.events:
            left, colon, right = pattern.partition(":")
            if colon:
                if fnmatchcase(system, left or "*") and fnmatchcase(name, right or "*"):
                    return True
            elif fnmatchcase(name, left) or (system and fnmatchcase(system, left)):
                return True
        return False


@frozen
class Shown:
    """An event near the first difference: of A, of B, or of both; of neither: some are left out."""

    a: Entry | None
    b: Entry | None


@frozen
class Place:
    """Where the logs part first."""

    cpu_a: int
    cpu_b: int
    a_ns: int | None
    """When, since the beginning of A; None: A has ended there."""
    b_ns: int | None
    shown: tuple[Shown, ...]


@define
class Difference:
    """How two logs differ."""

    a: Side
    b: Side
    pairs: list[tuple[int, int]] = Factory(list)
    """The CPUs that were compared, of A and of B; NOBODY: it has no counterpart."""
    nr_same: int = 0
    nr_missing: int = 0
    nr_inserted: int = 0
    first: Place | None = None
    missing: Counter[tuple[int, int]] = Factory(Counter)
    """In A and not in B: how often, by what it is and A's CPU."""
    inserted: Counter[tuple[int, int]] = Factory(Counter)
    reordered: Counter[tuple[int, int]] = Factory(Counter)
    """In both on the same CPU, but in another order."""
    moved: Counter[tuple[int, int, int]] = Factory(Counter)
    """To another CPU: by what it is, A's CPU and B's CPU, both as A numbers them."""
    shifts: Distribution = Factory(Distribution)
    """How far what is the same lies apart in time, seen from the beginning of each log."""
    nr_other_times: int = 0
    """Of what is the same, what does not have the same time."""
    first_time: Place | None = None
    """The first of these."""

    @property
    def is_same(self) -> bool:
        """The same happened on each CPU, in the same order."""
        return not self.nr_missing and not self.nr_inserted

    @property
    def is_equal(self) -> bool:
        """There is nothing of what was asked for in which they differ."""
        return self.is_same and not (self.a.settings.with_times and self.nr_other_times)


def compare(a: Side, b: Side) -> Difference:
    """Compare two logs that have been taken in."""
    difference = Difference(a, b)
    difference.pairs = _pairs(a, b)
    for cpu_a, cpu_b in difference.pairs:
        _compare_cpu(difference, cpu_a, cpu_b)
    _find_moves(difference)
    return difference


def is_same(a: Side, b: Side) -> bool:
    """Whether the same happened on each CPU: compare() without what follows from it."""
    for cpu_a, cpu_b in _pairs(a, b):
        left, right = a.strand(cpu_a), b.strand(cpu_b)
        if len(left) != len(right) or left.digest() != right.digest():
            return False
        if a.settings.with_times and any(
            left.times(at, at + BLOCK) != right.times(at, at + BLOCK)
            for at in range(0, len(left), BLOCK)
        ):
            return False
    return True


# -- CPUs --------------------------------------------------------------------------------


def _pairs(a: Side, b: Side) -> list[tuple[int, int]]:
    """Which CPU of B goes with which of A."""
    if not a.settings.renumber_cpus:
        return [(cpu, cpu) for cpu in sorted({**a.strands, **b.strands})]
    left, right = sorted(a.strands), sorted(b.strands)
    pairs: list[tuple[int, int]] = []
    digests = {cpu: b.strands[cpu].digest() for cpu in right}
    for cpu in list(left):
        own = a.strands[cpu].digest()
        equal = [other for other in right if digests[other] == own]
        if equal:
            other = cpu if cpu in equal else equal[0]
            pairs.append((cpu, other))
            left.remove(cpu)
            right.remove(other)
    ranked = sorted(
        (-_overlap(a.strands[cpu], b.strands[other]), cpu != other, cpu, other)
        for cpu in left
        for other in right
    )
    for _, _, cpu, other in ranked:
        if cpu in left and other in right:
            pairs.append((cpu, other))
            left.remove(cpu)
            right.remove(other)
    pairs += [(cpu, NOBODY) for cpu in left] + [(NOBODY, cpu) for cpu in right]
    return sorted(pairs, key=lambda pair: (pair[0] == NOBODY, pair))


def _overlap(a: Strand, b: Strand) -> int:
    """How many events two CPUs have in common, in whatever order."""
    left, right = (Counter(each for chunk in strand.chunks() for each in chunk)
                   for strand in (a, b))  # fmt: skip
    return (left & right).total()


# -- one CPU -----------------------------------------------------------------------------


def _compare_cpu(difference: Difference, cpu_a: int, cpu_b: int) -> None:
    a, b = difference.a.strand(cpu_a), difference.b.strand(cpu_b)
    has_parted = False
    for stretch in align(a, b):
        if isinstance(stretch, Same):
            difference.nr_same += stretch.count
            for at in range(0, stretch.count, BLOCK):
                place_a, place_b = stretch.a + at, stretch.b + at
                nr = min(BLOCK, stretch.count - at)
                _note_times(difference, (cpu_a, cpu_b), (a, place_a), (b, place_b), nr)
            continue
        if not has_parted:
            _note_first(difference, cpu_a, cpu_b, a, b, stretch)
            has_parted = True
        difference.nr_same += len(stretch.kept)
        for place_a, place_b in stretch.kept:
            _note_times(difference, (cpu_a, cpu_b), (a, place_a), (b, place_b), 1)
        _note_parted(difference, cpu_a, cpu_b, a, b, stretch)


def _note_times(
    difference: Difference,
    cpus: tuple[int, int],
    at_a: tuple[Strand, int],
    at_b: tuple[Strand, int],
    count: int,
) -> None:
    """Compare the times of events that are the same, from a place in each strand on."""
    (a, i), (b, j) = at_a, at_b
    times_a, times_b = a.times(i, i + count), b.times(j, j + count)
    first_a, first_b = difference.a.first_ns or 0, difference.b.first_ns or 0
    add = difference.shifts.add
    for a_ns, b_ns in zip(times_a, times_b, strict=True):
        add(abs((b_ns - first_b) - (a_ns - first_a)), a_ns)
    others = [at for at in range(count) if times_a[at] != times_b[at]]
    if others:
        at = others[0]
        difference.nr_other_times += len(others)
        place = Place(
            *cpus,
            times_a[at] - first_a,
            times_b[at] - first_b,
            (Shown(a.entry(i + at), None), Shown(None, b.entry(j + at))),
        )
        known = difference.first_time
        if known is None or _rank(place) < _rank(known):
            difference.first_time = place


def _note_parted(
    difference: Difference, cpu_a: int, cpu_b: int, a: Strand, b: Strand, parted: Parted
) -> None:
    difference.nr_missing += len(parted.missing)
    difference.nr_inserted += len(parted.inserted)
    missing = Counter(a.entry(place).number for place in parted.missing)
    inserted = Counter(b.entry(place).number for place in parted.inserted)
    cpu = cpu_a if cpu_a != NOBODY else cpu_b
    for number, count in (missing & inserted).items():
        difference.reordered[number, cpu] += count
    for number, count in (missing - inserted).items():
        difference.missing[number, cpu] += count
    for number, count in (inserted - missing).items():
        difference.inserted[number, cpu] += count


def _find_moves(difference: Difference) -> None:
    """What is missing on one CPU and inserted on another has moved."""
    goals: dict[int, list[int]] = {}
    for number, cpu in sorted(difference.inserted):
        goals.setdefault(number, []).append(cpu)
    for number, cpu in sorted(difference.missing):
        for goal in goals.get(number, ()):
            left = difference.missing[number, cpu], difference.inserted[number, goal]
            count = min(left)
            if goal != cpu and count:
                difference.moved[number, cpu, goal] += count
                difference.missing[number, cpu] -= count
                difference.inserted[number, goal] -= count
    for counter in (difference.missing, difference.inserted):
        for key in [key for key, count in counter.items() if not count]:
            del counter[key]


# -- the first difference ----------------------------------------------------------------


def _note_first(
    difference: Difference, cpu_a: int, cpu_b: int, a: Strand, b: Strand, parted: Parted
) -> None:
    """Remember the place if the logs part nowhere earlier."""
    i = parted.missing[0] if parted.missing else None
    j = parted.inserted[0] if parted.inserted else None
    at_a, at_b = _both(parted, i, j)
    place = Place(
        cpu_a,
        cpu_b,
        _since(difference.a, a, at_a),
        _since(difference.b, b, at_b),
        tuple(_around(a, b, parted, at_a, at_b)),
    )
    if difference.first is None or _rank(place) < _rank(difference.first):
        difference.first = place


def _rank(place: Place) -> tuple[int, int]:
    times = [each for each in (place.a_ns, place.b_ns) if each is not None]
    return min(times), place.cpu_a


def _both(parted: Parted, i: int | None, j: int | None) -> tuple[int, int]:
    """The place in both where the first edit is."""
    nr_a = len(parted.kept) if i is None else i - parted.a
    nr_b = len(parted.kept) if j is None else j - parted.b
    nr = min(nr_a, nr_b)
    return parted.a + nr, parted.b + nr


def _since(side: Side, strand: Strand, place: int) -> int | None:
    if place >= len(strand):
        return None
    return strand.entry(place).time_ns - (side.first_ns or 0)


def _around(a: Strand, b: Strand, parted: Parted, at_a: int, at_b: int) -> Iterator[Shown]:
    """Some events before the place, those from it on, and some that both have again."""
    for back in range(min(CONTEXT, at_a, at_b), 0, -1):
        yield Shown(a.entry(at_a - back), b.entry(at_b - back))
    missing, inserted = dict.fromkeys(parted.missing), dict.fromkeys(parted.inserted)
    nr_a = nr_b = nr_common = 0
    while nr_common < CONTEXT:
        if at_a in missing:
            if nr_a < EDITS:
                yield Shown(a.entry(at_a), None)
            elif nr_a == EDITS:
                yield Shown(None, None)
            at_a, nr_a, nr_common = at_a + 1, nr_a + 1, 0
        elif at_b in inserted:
            if nr_b < EDITS:
                yield Shown(None, b.entry(at_b))
            elif nr_b == EDITS:
                yield Shown(None, None)
            at_b, nr_b, nr_common = at_b + 1, nr_b + 1, 0
        elif at_a < len(a) and at_b < len(b) and (
            a.entry(at_a).number == b.entry(at_b).number
        ):
            if max(nr_a, nr_b) > EDITS:
                return
            yield Shown(a.entry(at_a), b.entry(at_b))
            at_a, at_b, nr_common = at_a + 1, at_b + 1, nr_common + 1
        else:
            return
