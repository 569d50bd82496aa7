"""Pages of the ring buffer hold entries and times, and say what was lost."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.errors import IrqsimError
from irqsim.trace.dat.page_writer import PAGE_SIZE, PageWriter

ENTRIES = st.lists(
    st.tuples(st.integers(0, 1 << 34), st.binary(min_size=1, max_size=300)), max_size=120
)


def entries_of(page: bytes) -> Iterator[tuple[int, bytes]]:
    """Time and padded data of each entry of a page, by the rules of the format alone."""
    time, commit = struct.unpack_from("<QQ", page)
    at, end = 16, 16 + (commit & 0xFFFFF)
    while at < end:
        (head,) = struct.unpack_from("<I", page, at)
        kind, delta = head & 31, head >> 5
        at += 4
        if kind == 30:
            time += delta | struct.unpack_from("<I", page, at)[0] << 27
            at += 4
            continue
        assert kind <= 28
        size = 4 * kind
        if not kind:
            size = struct.unpack_from("<I", page, at)[0] - 4
            at += 4
        time += delta
        yield time, page[at : at + size]
        at += size
    assert at == end


def pages_of(entries: list[tuple[int, bytes]]) -> list[bytes]:
    pages: list[bytes] = []
    writer = PageWriter(pages.append)
    for time, data in entries:
        writer.add(time, data)
    writer.flush()
    return pages


@given(ENTRIES)
def test_every_entry_is_there_with_its_time(gaps: list[tuple[int, bytes]]) -> None:
    times = accumulate(gap for gap, _ in gaps)
    entries = [(time, data) for time, (_, data) in zip(times, gaps, strict=True)]
    pages = pages_of(entries)
    assert all(len(page) == PAGE_SIZE for page in pages)
    found = [each for page in pages for each in entries_of(page)]
    assert [time for time, _ in found] == [time for time, _ in entries]
    for (_, padded), (_, data) in zip(found, entries, strict=True):
        assert padded.startswith(data)
        assert len(padded) - len(data) < 4


@given(st.lists(st.integers(0, 1 << 40), min_size=1, max_size=30))
def test_time_that_goes_backwards_is_kept(times: list[int]) -> None:
    found = [time for page in pages_of([(t, b"x") for t in times]) for time, _ in entries_of(page)]
    assert found == times


def test_what_was_lost_stands_behind_the_data_of_the_next_page() -> None:
    pages: list[bytes] = []
    writer = PageWriter(pages.append)
    writer.add(1, b"four")
    writer.lost(7)
    writer.lost(5)
    writer.add(2, b"four")
    writer.add(3, b"four")
    writer.lost(0)
    writer.add(4, b"four")
    writer.flush()
    commits = [struct.unpack_from("<Q", page, 8)[0] for page in pages]
    assert commits == [8, 1 << 31 | 1 << 30 | 16, 1 << 31 | 8]
    assert struct.unpack_from("<Q", pages[1], 16 + 16)[0] == 12


def test_an_entry_that_fits_no_page_is_an_error() -> None:
    with pytest.raises(IrqsimError, match="does not fit into a page"):
        pages_of([(1, bytes(PAGE_SIZE))])
