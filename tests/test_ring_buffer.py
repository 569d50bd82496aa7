"""What an overwritten buffer keeps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from irqsim.events import (
    FUNCTION,
    HRTIMER_START,
    IPI_ENTRY,
    IPI_RAISE,
    IRQ_HANDLER_ENTRY,
    KERNEL_STACK,
    PRINT,
    SCHED_SWITCH,
    SOFTIRQ_RAISE,
    UNKNOWN,
    Context,
    Event,
    EventTable,
    Record,
)
from irqsim.trace.entry import Entries
from irqsim.trace.ring_buffer import RingBuffer

SOFTIRQ_LENGTH = 16
PER_PAGE = 4080 // SOFTIRQ_LENGTH


def raises(times: range, cpu: int = 0) -> list[Record]:
    table = EventTable()
    who = table.context("t", 1, 1, cpu, 0, 0)
    return [(time, who, table.intern(SOFTIRQ_RAISE, 1)) for time in times]


def test_the_size_of_an_entry() -> None:
    """Header of 8 bytes, the fields at their alignment, then the strings."""
    entries = Entries("6.1")
    assert entries.size(Event(SOFTIRQ_RAISE, (1,))) == 12
    assert entries.size(Event(IRQ_HANDLER_ENTRY, (1, "eth0"))) == 16 + 5
    assert entries.size(Event(SCHED_SWITCH, ("a", 1, 1, 0, "b", 2, 1))) == 64
    assert entries.size(Event(HRTIMER_START, (1, "f", 1, 1, 0, 0))) == 48
    assert entries.size(Event(IPI_RAISE, (1, "x"))) == 24 + 8
    assert entries.size(Event(IPI_RAISE, ("00000001", "x"))) == 24 + 4
    assert entries.size(Event(PRINT, ("f", "four"))) == 16 + 5
    assert entries.size(Event(FUNCTION, ("f", "g"))) == 24
    assert entries.size(Event(KERNEL_STACK, ("f\ng",))) == 16 + 16
    assert entries.size(Event(UNKNOWN, ("f", "four"))) == 12 + 5
    assert Entries("6.1", 32).size(Event(IPI_ENTRY, ("x",))) == 12
    assert Entries("6.1-rt").size(Event(SOFTIRQ_RAISE, (1,))) == 16


def test_a_buffer_has_two_pages_at_least() -> None:
    assert RingBuffer(1, 1).nr_pages == 2
    assert RingBuffer(1, 16).nr_pages == 5
    assert RingBuffer(1, 1408).nr_pages == 354
    assert RingBuffer(1, 8, long_bits=32).page_data == 4084


def test_the_oldest_page_goes_as_a_whole() -> None:
    buffer = RingBuffer(1, 8)
    buffer.add(raises(range(3 * PER_PAGE)))
    assert buffer.nr_pages == 3
    assert buffer.cpus[0].overrun == 0
    buffer.add(raises(range(3 * PER_PAGE, 3 * PER_PAGE + 1)))
    assert buffer.has_overrun
    assert buffer.cpus[0].overrun == PER_PAGE
    assert buffer.records()[0][0] == PER_PAGE
    assert buffer.entries_in_buffer == 2 * PER_PAGE + 1
    assert buffer.entries_written == 3 * PER_PAGE + 1


def test_without_overwrite_the_newest_is_dropped() -> None:
    buffer = RingBuffer(1, 8, overwrite=False)
    buffer.add(raises(range(3 * PER_PAGE + 7)))
    assert buffer.records()[-1][0] == 3 * PER_PAGE - 1
    assert buffer.cpus[0].dropped == 7
    assert "dropped events: 7\n" in buffer.stats(0, 0)


def test_a_pause_of_134_ms_takes_room() -> None:
    """A delta of 27 bits or more has an event of its own, but not at the start of a page."""
    buffer = RingBuffer(1, 8)
    buffer.add(raises(range(0, 2 << 27, 1 << 27)))
    assert buffer.cpus[0].nr_bytes == 2 * SOFTIRQ_LENGTH + 8
    buffer.clear()
    buffer.add(raises(range(0, 2 * ((1 << 27) - 1), (1 << 27) - 1)))
    assert buffer.cpus[0].nr_bytes == 2 * SOFTIRQ_LENGTH


def test_what_is_left_of_a_page_is_counted_if_it_is_padded() -> None:
    who = Context("t", 1, 1, 0, 0, 0)
    event = Event(IRQ_HANDLER_ENTRY, (1, "x" * 11))
    buffer = RingBuffer(1, 8)
    buffer.add((time, who, event) for time in range(4080 // 32 + 1))
    assert buffer.cpus[0].nr_bytes == 4080 + 32


def test_long_entries_have_a_word_for_their_length() -> None:
    who = Context("t", 1, 1, 0, 0, 0)
    buffer = RingBuffer(1, 8)
    buffer.add([(0, who, Event(PRINT, ("f", "x" * 95)))])
    assert buffer.cpus[0].nr_bytes == 112 + 4
    buffer.clear()
    buffer.add([(0, who, Event(PRINT, ("f", "x" * 96)))])
    assert buffer.cpus[0].nr_bytes == 116 + 8


def test_stats() -> None:
    buffer = RingBuffer(2, 8)
    buffer.add(raises(range(1_500_000_500, 1_500_000_502)))
    assert buffer.stats(0, 2_000_000_000) == (
        "entries: 2\noverrun: 0\ncommit overrun: 0\nbytes: 32\n"
        "oldest event ts:     1.500001\nnow ts:     2.000000\ndropped events: 0\nread events: 0\n"
    )
    assert "entries: 0\n" in buffer.stats(1, 0)


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 3)), max_size=1500))
def test_what_is_kept_is_the_end_of_each_cpu_in_order(steps: list[tuple[int, int]]) -> None:
    """Nothing is lost in the middle, and all that is lost is counted."""
    table = EventTable()
    now = 0
    written: list[Record] = []
    for pause, cpu in steps:
        now += pause
        who = table.context("t", 1, 1, cpu, 0, 0)
        written.append((now, who, table.intern(IRQ_HANDLER_ENTRY, pause, "eth0")))
    buffer = RingBuffer(4, 1)
    buffer.add(written)
    kept = buffer.records()
    assert kept == sorted(kept, key=lambda record: (record[0], record[1].cpu))
    assert buffer.entries_in_buffer == len(kept)
    assert buffer.entries_written == len(written)
    for cpu in range(4):
        of_cpu = [record for record in written if record[1].cpu == cpu]
        left = [record for record in kept if record[1].cpu == cpu]
        assert left == of_cpu[len(of_cpu) - len(left) :]
        assert buffer.cpus[cpu].overrun == len(of_cpu) - len(left)
