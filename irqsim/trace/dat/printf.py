"""printf as the kernel has it, for values that are numbers, strings or bytes.

Source: lib/vsprintf.c: vsnprintf(), pointer(), bstr_printf().
Leaves out: most of the letters behind %p.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

Argument: TypeAlias = int | str | bytes

_SPEC: Final = re.compile(
    r"%([-+ #0]*)(\*|[0-9]{1,4})?(?:\.(\*|[0-9]{0,4}))?(hh|h|ll|l|L|z|t|q|j)?([diuxXocsp%])"
    r"(?:(?<=p)([KSsfFBx]|I4|M|b|bl))?"
)
_BITS: Final = {"hh": 8, "h": 16, "": 32, None: 32}
_WIDTH_MAX: Final = 1 << 12

ShowPointer: TypeAlias = Callable[[str, Argument], str]
"""(letters behind %p, value) -> text."""


class Missing(ValueError):
    """Fewer arguments than the format asks for."""


def printf(
    template: str, arguments: Sequence[Argument], show_pointer: ShowPointer, long_bits: int
) -> str:
    """The text.  Raises ValueError for what it cannot print."""
    rest = list(reversed(arguments))

    def take() -> Argument:
        if not rest:
            raise Missing("too few values for a format")
        return rest.pop()

    def show(found: re.Match[str]) -> str:
        flags, width, precision, length, letter, pointer = found.groups()
        if letter == "%":
            return "%"
        nr_width = _size(take() if width == "*" else width)
        nr_precision = None
        if precision is not None:
            nr_precision = _size(take() if precision == "*" else precision)
        value = take()
        if letter == "p":
            return _pad(show_pointer(pointer or "", value), flags, nr_width)
        if letter == "s":
            text = value if isinstance(value, str) else _string(value)
            return _pad(text[:nr_precision], flags, nr_width)
        number = _number(value)
        if letter == "c":
            return _pad(chr(number & 0xFF), flags, nr_width)
        bits = _BITS.get(length, 64 if length not in ("l", "z", "t") else long_bits)
        return _integer(number, letter, bits, flags, nr_width, nr_precision)

    return _SPEC.sub(show, template)


def _integer(
    number: int, letter: str, bits: int, flags: str, width: int, precision: int | None
) -> str:
    number &= (1 << bits) - 1
    sign = ""
    if letter in "di":
        if number >> bits - 1:
            number, sign = (1 << bits) - number, "-"
        elif "+" in flags or " " in flags:
            sign = "+" if "+" in flags else " "
        digits = str(number)
    elif letter == "u":
        digits = str(number)
    else:
        digits = f"{number:{letter}}"
        if "#" in flags:
            sign = {"x": "0x", "X": "0X", "o": "0"}[letter]
    digits = digits.rjust(precision or 0, "0")
    if "0" in flags and "-" not in flags and precision is None:
        digits = digits.rjust(width - len(sign), "0")
    return _pad(sign + digits, flags, width)


def _pad(text: str, flags: str, width: int) -> str:
    return text.ljust(width) if "-" in flags else text.rjust(width)


def _size(value: Argument | None) -> int:
    return min(_number(value or 0) if not isinstance(value, str) else int(value or "0"), _WIDTH_MAX)


def _number(value: Argument) -> int:
    if not isinstance(value, int):
        raise ValueError(f"expected a number to print, got {value!r}")
    return value


def _string(value: Argument) -> str:
    if isinstance(value, bytes):
        return value.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    return f"{value:#x}" if isinstance(value, int) else value


def binary_arguments(
    template: str, data: bytes, number: Callable[[int, int], int], long_size: int
) -> list[Argument]:
    """The values of a format in the form of bprintf(): words, each at its own size.

    `number` reads one: (offset, size).  Source: lib/vsprintf.c: vbin_printf().
    """
    arguments: list[Argument] = []
    at = 0

    def take(size: int) -> int:
        nonlocal at
        at = -(-at // min(size, 4)) * min(size, 4)
        at += size
        return number(at - size, size)

    for found in _SPEC.finditer(template):
        _, width, precision, length, letter, _ = found.groups()
        if letter == "%":
            continue
        arguments += [take(4) for star in (width, precision) if star == "*"]
        if letter == "s":
            text = data[at:].partition(b"\0")[0]
            at += len(text) + 1
            arguments.append(text)
        elif letter == "p" or length in ("l", "z", "t"):
            arguments.append(take(long_size))
        else:
            arguments.append(take(8 if length in ("ll", "L", "q", "j") else 4))
    return arguments
