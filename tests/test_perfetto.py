"""Perfetto's packets, read by the rules of protobuf alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.errors import IrqsimError
from irqsim.events import SCHED_SWITCH, TRACEPOINT_BY_NAME, EventTable
from irqsim.records import UNKNOWN_TGID, Lost, Record, TraceHeader
from irqsim.trace.perfetto import _MESSAGES, _varint
from tests.test_chrome import LOG, records_of
from tests.written import written

Message = list[tuple[int, "int | bytes"]]


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of a message's fields."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            yield key >> 3, data[at : at + value]
            at += value
        else:
            assert key & 7 == 0
            yield key >> 3, value


def inner(message: bytes, number: int) -> list[bytes]:
    return [value for key, value in fields(message) if key == number and isinstance(value, bytes)]


def number_of(message: bytes, number: int) -> int:
    (value,) = (value for key, value in fields(message) if key == number)
    assert isinstance(value, int)
    return value


def events_of(data: bytes) -> list[tuple[int, int, bytes]]:
    """CPU, time and the message of every event."""
    found = []
    for packet in inner(data, 1):
        for bundle in inner(packet, 1):
            for event in inner(bundle, 2):
                found.append((number_of(bundle, 1), number_of(event, 1), event))
    return found


@given(st.integers(-(1 << 63), (1 << 64) - 1))
def test_varints_read_back(value: int) -> None:
    assert varint(_varint(value), 0) == (value % (1 << 64), len(_varint(value)))


def test_every_record_is_an_event_of_its_cpu_at_its_time() -> None:
    records = records_of(LOG)
    found = events_of(written("perfetto", [*records]))
    assert [(cpu, time) for cpu, time, _ in found] == [(r[1].cpu, r[0]) for r in records]


def test_a_switch_has_its_message() -> None:
    found = [event for _, _, event in events_of(written("perfetto", [*records_of(LOG)]))]
    (first, second) = (each[0] for each in (inner(event, 4) for event in found) if each)
    assert dict(fields(first)) == {
        1: b"swapper/0", 2: 0, 3: 120, 4: 0, 5: b"app", 6: 100, 7: 120,
    }
    assert number_of(second, 4) == 1


def test_functions_are_named_once_before_they_are_used() -> None:
    """InternedData.kernel_symbols: the number stands for the name from then on."""
    table = EventTable()
    context = table.context("kworker/0:1", 9, UNKNOWN_TGID, 0, 0, 0)
    start = TRACEPOINT_BY_NAME["workqueue_execute_start"]
    items: list[Record | Lost] = [
        (1, context, table.intern(start, 0x10, "done")),
        (2, context, table.intern(start, 0x20, "other")),
        (3, context, table.intern(start, 0x30, "done")),
    ]
    data = written("perfetto", items, batch=1)
    named = [
        (number_of(symbol, 1), inner(symbol, 2)[0])
        for packet in inner(data, 1)
        for interned in inner(packet, 12)
        for symbol in inner(interned, 26)
    ]
    assert named == [(1, b"done"), (2, b"other")]
    used = [number_of(inner(event, 58)[0], 2) for _, _, event in events_of(data)]
    assert used == [1, 2, 1]


def test_lost_events_mark_the_bundle() -> None:
    data = written("perfetto", [Lost(2, 5)])
    (bundle,) = (each for packet in inner(data, 1) for each in inner(packet, 1))
    assert dict(fields(bundle)) == {1: 2, 3: 1}


def test_tasks_are_named_at_the_end() -> None:
    data = written("perfetto", [*records_of(LOG)])
    (tree,) = (each for packet in inner(data, 1) for each in inner(packet, 2))
    (thread,) = inner(tree, 2)
    assert dict(fields(thread)) == {1: 100, 2: b"app", 3: 100}


def test_messages_name_fields_that_there_are() -> None:
    for name, (_, places) in _MESSAGES.items():
        known = {field.name for field in TRACEPOINT_BY_NAME[name].fields}
        assert {pair.split("=")[0] for pair in places.split()} <= known, name
    assert SCHED_SWITCH.name in _MESSAGES


def test_counts_are_no_times() -> None:
    with pytest.raises(IrqsimError, match="counts events"):
        written("perfetto", [*records_of(LOG)], TraceHeader(clock="counts"))
