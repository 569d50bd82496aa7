"""Sets of CPUs and numbers as they are written to files, with the errno of what is wrong.

Source: lib/bitmap-str.c (lib/bitmap.c until 6.6): bitmap_parse, bitmap_parselist;
lib/kstrtox.c: kstrtoul, kstrtobool.
"""

from __future__ import annotations

import re
from typing import Final

from irqsim.proc.errno import EINVAL, EOVERFLOW, ERANGE, FileError

CHUNK_BITS: Final = 32
CHUNK_DIGITS: Final = 8
UINT_MAX: Final = 2**32 - 1

_REGION: Final = re.compile(
    r"(?:[aA][lL][lL]|(?P<start>[0-9]+|N)(?:-(?P<end>[0-9]+|N))?)"
    r"(?::(?P<used>[0-9]+|N)/(?P<group>[0-9]+|N))?"
)
_ULONG: Final = re.compile(r"\+?([0-9]+)\n?")


def read_cpumask(text: str, nr_cpus: int) -> tuple[int, ...]:
    """Read hexadecimal words, ``ff`` or ``1,00000000``, the lowest 32 bits last."""
    mask = 0
    chunks = [chunk for chunk in re.split(r"[\s,]+", text.split("\n", 1)[0]) if chunk]
    for index, chunk in enumerate(reversed(chunks)):
        if index * CHUNK_BITS >= nr_cpus:
            raise FileError(EOVERFLOW, is_write=True)
        if not re.fullmatch("[0-9a-fA-F]+", chunk[-CHUNK_DIGITS:]):
            raise FileError(EINVAL, is_write=True)
        if len(chunk) > CHUNK_DIGITS:
            is_digit = re.fullmatch("[0-9a-fA-F]", chunk[-CHUNK_DIGITS - 1])
            raise FileError(EOVERFLOW if is_digit else EINVAL, is_write=True)
        mask |= int(chunk, 16) << index * CHUNK_BITS
    if mask >> nr_cpus:
        raise FileError(EOVERFLOW, is_write=True)
    return tuple(cpu for cpu in range(nr_cpus) if mask >> cpu & 1)


def read_cpulist(text: str, nr_cpus: int) -> tuple[int, ...]:
    """Read numbers and ranges, ``0-3,6``; also ``0-7:1/2``, one of each two, ``N`` and ``all``."""
    mask = 0
    for region in re.split(r"[\s,]+", text.split("\n", 1)[0]):
        if region:
            mask |= _region(region, nr_cpus)
    return tuple(cpu for cpu in range(nr_cpus) if mask >> cpu & 1)


def _region(text: str, nr_cpus: int) -> int:
    found = _REGION.fullmatch(text)
    # Of a pattern a range is the beginning, never a single number.
    if found is None or (found["used"] and found["start"] and not found["end"]):
        raise FileError(EINVAL, is_write=True)
    start = _number(found["start"] or "0", nr_cpus)
    end = _number(found["end"] or found["start"] or "N", nr_cpus)
    length = end - start + 1
    used = _number(found["used"], nr_cpus) if found["used"] else length
    group = _number(found["group"], nr_cpus) if found["group"] else length
    if start > end or group == 0 or used > group:
        raise FileError(EINVAL, is_write=True)
    if end >= nr_cpus:
        raise FileError(ERANGE, is_write=True)
    mask = 0
    for first in range(start, end + 1, group):
        mask |= (1 << min(used, end - first + 1)) - 1 << first
    return mask


def _number(text: str, nr_cpus: int) -> int:
    if text == "N":
        return nr_cpus - 1
    if int(text) > UINT_MAX:
        raise FileError(EOVERFLOW, is_write=True)
    return int(text)


def read_number(text: str) -> int:
    """Read a decimal number, with at most a newline behind it."""
    found = _ULONG.fullmatch(text)
    if found is None:
        raise FileError(EINVAL, is_write=True)
    return int(found[1])


def read_switch(text: str) -> bool:
    """Read 0 or 1, as most switches of tracefs take it."""
    number = read_number(text)
    if number > 1:
        raise FileError(EINVAL, is_write=True)
    return number == 1


def read_bool(text: str) -> bool:
    """Read ``1``, ``y``, ``on``, ``0``, ``n``, ``off``; only the first letters count."""
    word = text.lower()
    if word[:1] in ("1", "y") or word[:2] == "on":
        return True
    if word[:1] in ("0", "n") or word[:2] == "of":
        return False
    raise FileError(EINVAL, is_write=True)
