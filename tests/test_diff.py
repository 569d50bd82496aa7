"""What two logs have in common is found whatever the numbers in them; what differs, exactly."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irqsim
from irqsim.analysis.alignment import COST_MAX, Parted, Same, align
from irqsim.analysis.diff import Difference, Settings, Side, compare, is_same
from irqsim.analysis.identity import Names, task_name
from irqsim.analysis.strand import CHUNK, MEMORY, SIZE, Strand
from irqsim.events import PRINT, Record, Value
from irqsim.records import EventTable, Lost, TraceHeader
from irqsim.trace.reader import open_trace
from tests import golden

CAPTURES: Final = (
    "arm64-gicv3-4cpu-allevents",
    "arm64-gicv3-4cpu-mod-threaded",
    "armhf-gicv2-4cpu-mod-tasklet",
    "arm64-6.12-gicv3-4cpu-idle",
    "arm64-rt-gicv3-4cpu-idle",
    "arm64-gicv3-4cpu-event-stacktrace",
)
PLAIN: Final = Settings()


def side(records: Iterable[Record | Lost], names: Names, settings: Settings = PLAIN) -> Side:
    found = Side("log", TraceHeader(), names, settings)
    for line, item in enumerate(records, start=1):
        found.take(line, item)
    found.finish()
    return found


def difference(
    a: Iterable[Record | Lost], b: Iterable[Record | Lost], settings: Settings = PLAIN
) -> Difference:
    names = Names()
    left, right = side(a, names, settings), side(b, names, settings)
    found = compare(left, right)
    assert is_same(left, right) is found.is_equal
    return found


def capture(reference: Path, name: str) -> list[Record]:
    with open_trace(str(reference / "captures" / name / "trace")) as trace:
        return list(trace.records())


def same(number: int) -> int:
    return number


def renumbered(
    records: Iterable[Record],
    *,
    shift_ns: int = 0,
    irq: Callable[[int], int] = same,
    pid: Callable[[int], int] = same,
    cpu: Callable[[int], int] = same,
    address: Callable[[int], int] = same,
) -> list[Record]:
    """The same log of a machine that hands out other numbers."""
    table = EventTable()
    found = []
    for time_ns, context, event in records:
        values: list[Value] = []
        for field, value in zip(event.tracepoint.fields, event.values, strict=True):
            if isinstance(value, str) and field.name.endswith("comm"):
                value = renamed(value, irq)
            elif isinstance(value, int) and field.name == "irq":
                value = irq(value)
            elif isinstance(value, int) and field.name.endswith("pid") and value:
                value = pid(value)
            elif isinstance(value, int) and field.name in ("target_cpu", "orig_cpu", "dest_cpu"):
                value = cpu(value)
            elif isinstance(value, int) and field.name in ("target_cpus", "cpumask"):
                value = sum(1 << cpu(bit) for bit in range(64) if value >> bit & 1)
            elif isinstance(value, int) and field.ctype.startswith("void"):
                value = address(value)
            values.append(value)
        who = table.context(
            renamed(context.comm, irq), context.pid and pid(context.pid), context.tgid,
            cpu(context.cpu), context.flags, context.preempt_count,
        )  # fmt: skip
        found.append((time_ns + shift_ns, who, table.intern(event.tracepoint, *values)))
    return found


def renamed(comm: str, irq: Callable[[int], int]) -> str:
    if not comm.startswith("irq/"):
        return comm
    number, dash, name = comm.removeprefix("irq/").partition("-")
    return f"irq/{irq(int(number))}{dash}{name}"


# -- what is no difference ---------------------------------------------------------------


@pytest.mark.parametrize("name", CAPTURES)
def test_numbers_that_a_machine_hands_out_are_no_difference(name: str, reference: Path) -> None:
    records = capture(reference, name)
    other = renumbered(
        records,
        shift_ns=123_456_000,
        irq=lambda irq: irq + 100,
        pid=lambda pid: 40_000 - pid,
        address=lambda address: address ^ 0x5A5A0,
    )
    found = difference(records, other)
    assert (found.is_equal, found.nr_same, found.shifts.max) == (True, len(records), 0)
    with_times = difference(records, other, Settings(with_times=True))
    assert (with_times.is_same, with_times.is_equal) == (True, False)
    assert with_times.nr_other_times == len(records)


@pytest.mark.parametrize("name", CAPTURES)
def test_permuted_cpus_are_no_difference_if_their_numbers_do_not_count(
    name: str, reference: Path
) -> None:
    """By default an event on another CPU is one that has moved."""
    records = capture(reference, name)
    other = renumbered(records, cpu=lambda cpu: (1, 3, 0, 2)[cpu])
    found = difference(records, other, Settings(renumber_cpus=True))
    assert found.is_equal
    assert found.pairs == [(0, 1), (1, 3), (2, 0), (3, 2)]
    assert not difference(records, other).is_equal


@pytest.mark.parametrize("name", golden.names())
def test_a_log_is_the_same_as_itself(name: str) -> None:
    """With times, task and flags, and in whatever order CPUs of one instant come."""
    spec = irqsim.load(golden.scenario_of(name), 'trace.events=["*"]')
    records = irqsim.run(spec)
    everything = Settings(with_times=True, with_context=True)
    assert difference(records, irqsim.run(spec), everything).is_equal
    by_cpu = sorted(records, key=lambda record: record[1].cpu)
    assert difference(records, by_cpu, everything).is_equal


def test_threads_are_known_by_what_they_do() -> None:
    names = ("irq/40-eth0", "kworker/0:1H-kblockd", "kworker/u8:2", "ksoftirqd/3", "sh", "a/b")
    assert [task_name(name) for name in names] == [
        "irq/-eth0", "kworker/H", "kworker/u", "ksoftirqd/", "sh", "a/b",
    ]  # fmt: skip


# -- what is one -------------------------------------------------------------------------


def test_a_record_more_or_less_is_found_where_it_is(reference: Path) -> None:
    """Each of a log's records left out is missing, and put back in is inserted."""
    records = capture(reference, "arm64-gicv3-4cpu-mod-threaded")
    # Not the very first: without it the log does not say whose handler it is that ends.
    for place in range(41, len(records), 41):
        fewer = records[:place] + records[place + 1 :]
        cpu = records[place][1].cpu
        found = difference(records, fewer)
        assert (found.nr_missing, found.nr_inserted) == (1, 0)
        assert found.nr_same == len(fewer)
        assert [key[1] for key in found.missing] == [cpu]
        assert found.first is not None and found.first.a_ns is not None
        # Of several that are the same one is as good as another.
        assert found.first.a_ns >= 0 and found.first.cpu_a == cpu
        back = difference(fewer, records)
        assert (back.nr_missing, back.nr_inserted) == (0, 1)
        texts = [
            one.a.names.texts[number] for one, counter in
            ((found, found.missing), (back, back.inserted)) for number, _ in counter
        ]  # fmt: skip
        assert texts[0] == texts[1]


def test_the_first_difference_is_the_first_in_time(reference: Path) -> None:
    records = capture(reference, "arm64-gicv3-4cpu-mod-threaded")
    table = EventTable()
    marked = list(records)
    for place in (900, 300, 600):
        time_ns, context, _ = records[place]
        marked.insert(place, (time_ns, context, table.intern(PRINT, "here", str(place))))
    found = difference(records, marked)
    assert (found.nr_inserted, found.nr_missing) == (3, 0)
    assert found.first is not None
    assert found.first.b_ns == records[300][0] - records[0][0]
    shown = [each.b.line for each in found.first.shown if each.b and not each.a]
    assert shown == [301]


def test_what_changes_places_is_reordered(reference: Path) -> None:
    records = capture(reference, "arm64-gicv3-4cpu-mod-threaded")
    place = next(
        place
        for place in range(200, len(records))
        if records[place][1].cpu == records[place + 1][1].cpu
        and records[place][2] != records[place + 1][2]
    )
    swapped = list(records)
    swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    found = difference(records, swapped)
    assert (found.missing.total(), found.inserted.total()) == (0, 0)
    assert found.reordered.total() == 1


def test_what_runs_on_another_cpu_has_moved(reference: Path) -> None:
    """A line that is served by CPU 3 instead, with all else as it was."""
    records = capture(reference, "arm64-gicv3-4cpu-mod-plain")
    table = EventTable()
    moved: list[Record] = []
    nr_moved = 0
    is_plain = False
    for time_ns, context, event in records:
        if event.tracepoint.name == "irq_handler_entry":
            is_plain = event["name"] == "lab-plain"
        if event.tracepoint.name.startswith("irq_handler") and is_plain and context.cpu == 0:
            context = table.context("<idle>", 0, -1, 3, context.flags, context.preempt_count)
            nr_moved += 1
        moved.append((time_ns, context, event))
    found = difference(records, moved)
    assert nr_moved >= 40
    assert found.moved.total() == nr_moved
    assert {key[1:] for key in found.moved} == {(0, 3)}
    assert (found.missing.total(), found.inserted.total()) == (0, 0)


def test_only_the_events_that_are_wanted_count() -> None:
    scenario = golden.scenario_of("touchscreen")
    a = irqsim.run(irqsim.load(scenario))
    b = irqsim.run(irqsim.load(scenario, 'trace.events=["irq"]'))
    assert not difference(a, b).is_equal
    assert difference(a, b, Settings(events=("irq",))).is_equal
    assert difference(a, b, Settings(events=("irq:soft*", "tasklet_entry"))).is_equal


def test_task_and_flags_count_if_they_are_wanted() -> None:
    scenario = golden.scenario_of("touchscreen")
    a = irqsim.run(irqsim.load(scenario, 'trace.events=["irq_handler_entry"]'))
    table = EventTable()
    b = [(time_ns, table.context("other", 7, -1, who.cpu, who.flags, 0), event)
         for time_ns, who, event in a]  # fmt: skip
    assert difference(a, b).is_equal
    assert not difference(a, b, Settings(with_context=True)).is_equal


def test_lost_records_are_said() -> None:
    records = irqsim.run(irqsim.load(golden.scenario_of("touchscreen")))
    found = difference(records, [*records[:4], Lost(0, 5), *records[4:]])
    assert (found.is_equal, found.b.report.nr_lost) == (True, 5)


# -- alignment ---------------------------------------------------------------------------


class Listed(list[int]):
    """A sequence in memory."""

    def numbers(self, start: int, stop: int) -> list[int]:
        return list(self[start:stop])


def check_script(a: Listed, b: Listed) -> int:
    """Whether the script makes one of the other; returns how much both have."""
    i = j = nr_same = 0
    for stretch in align(a, b):
        assert (stretch.a, stretch.b) == (i, j)
        if isinstance(stretch, Same):
            assert a[i : i + stretch.count] == b[j : j + stretch.count]
            i, j, nr_same = i + stretch.count, j + stretch.count, nr_same + stretch.count
            continue
        assert isinstance(stretch, Parted)
        left = sorted([*stretch.missing, *(x for x, _ in stretch.kept)])
        right = sorted([*stretch.inserted, *(y for _, y in stretch.kept)])
        assert left == list(range(i, i + len(left)))
        assert right == list(range(j, j + len(right)))
        assert all(a[x] == b[y] for x, y in stretch.kept)
        assert list(stretch.kept) == sorted(stretch.kept)
        i, j, nr_same = i + len(left), j + len(right), nr_same + len(stretch.kept)
    assert (i, j) == (len(a), len(b))
    return nr_same


def longest_common(a: list[int], b: list[int]) -> int:
    """The length of the longest common subsequence, by the table that everybody knows."""
    row = [0] * (len(b) + 1)
    for one in a:
        following = [0]
        for place, other in enumerate(b):
            best = row[place] + 1 if one == other else max(row[place + 1], following[-1])
            following.append(best)
        row = following
    return row[-1]


@settings(max_examples=300)
@given(st.lists(st.integers(0, 3), max_size=30), st.lists(st.integers(0, 3), max_size=30))
def test_of_short_sequences_nothing_is_missed(a: list[int], b: list[int]) -> None:
    assert check_script(Listed(a), Listed(b)) == longest_common(a, b)


@pytest.mark.parametrize("seed", range(6))
def test_of_long_sequences_no_more_is_lost_than_was_changed(seed: int) -> None:
    """Longer than a window, repetitive as logs are, with insertions and deletions all over."""
    draws = random.Random(seed)
    phrases = [[draws.randrange(12) for _ in range(draws.randrange(2, 9))] for _ in range(5)]
    a = Listed(number for _ in range(8000) for number in draws.choice(phrases))
    b = Listed(a)
    nr_edits = 200
    nr_deleted = 0
    for _ in range(nr_edits):
        place = draws.randrange(len(b))
        if draws.random() < 0.5:
            del b[place]
            nr_deleted += 1
        else:
            b.insert(place, 99)
    assert check_script(a, b) >= len(a) - nr_deleted - 2 * RESYNC_LOSS


RESYNC_LOSS: Final = 20
"""What an early decision may cost, in such logs."""


def test_sequences_that_have_nothing_in_common_are_walked_through() -> None:
    assert check_script(Listed(range(5000)), Listed(range(5000, 9000))) == 0
    assert check_script(Listed(), Listed(range(3 * COST_MAX))) == 0
    assert check_script(Listed([1] * 20_000), Listed([1] * 10)) == 10


def test_a_strand_is_on_disk_what_it_is_in_memory() -> None:
    strand = Strand()
    nr = MEMORY // SIZE + 3 * CHUNK + 17
    for place in range(nr):
        strand.append(place % 7, place * 10, place, -1, place % 3)
    digest = strand.digest()
    assert len(strand) == nr
    assert strand.numbers(nr - 5, nr + 5) == [place % 7 for place in range(nr - 5, nr)]
    middle = range(CHUNK - 3, 2 * CHUNK + 3)
    assert strand.times(middle.start, middle.stop) == [place * 10 for place in middle]
    entry = strand.entry(CHUNK + 1)
    assert (entry.line, entry.context, entry.event) == (CHUNK + 1, -1, (CHUNK + 1) % 3)
    other = Strand()
    for chunk in strand.chunks():
        for number in chunk:
            other.append(number, 0, 0, 0, 0)
    assert other.digest() == digest
    strand.close()
