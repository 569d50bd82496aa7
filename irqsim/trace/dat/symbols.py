"""Addresses to names: functions (kallsyms) and strings (printk_formats).

Source: kernel/kallsyms.c: s_show(), sprint_symbol(); kernel/trace/trace_printk.c: t_show();
lib/vsprintf.c: symbol_string().
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

_STRING: Final = re.compile(r'^0x([0-9a-f]{1,16}) : "(.*)"$', re.MULTILINE)
_ESCAPES: Final = {r"\n": "\n", r"\t": "\t", r"\"": '"', r"\\": "\\", r"\'": "'"}
_ESCAPE: Final = re.compile(r"\\[nt\"\\']")
_SIZE_MAX: Final = 1 << 20
"""Behind a symbol that seems to be longer, its module or the kernel ends."""


class Symbols:
    """The symbols of the machine that wrote a file; read when first asked for."""

    __slots__ = ("_addresses", "_kallsyms", "_names", "_printk", "_strings")

    def __init__(self, kallsyms: bytes, printk: bytes) -> None:
        self._kallsyms = kallsyms
        self._printk = printk
        self._addresses: list[int] | None = None
        self._names: list[str] = []
        self._strings: dict[int, str] | None = None

    def function(self, address: int) -> str | None:
        """The name, as %ps prints it (``name`` or ``name [module]``)."""
        found = self._find(address)
        return None if found is None else found[0] + found[3]

    def offset(self, address: int) -> str | None:
        """The same as %pS prints it: ``name+0x10/0x80``."""
        found = self._find(address)
        if found is None:
            return None
        name, offset, size, module = found
        return f"{name}+{offset:#x}/{size:#x}{module}"

    def string(self, address: int) -> str | None:
        """A constant string of the kernel, if it was exported."""
        if self._strings is None:
            text = self._printk.decode("utf-8", "surrogateescape")
            self._strings = {
                int(number, 16): _ESCAPE.sub(lambda found: _ESCAPES[found[0]], string)
                for number, string in _STRING.findall(text)
            }
        return self._strings.get(address)

    def _find(self, address: int) -> tuple[str, int, int, str] | None:
        """Name, offset in it, its size, and its module in brackets or nothing."""
        addresses = self._addresses
        if addresses is None:
            addresses = self._read()
        index = bisect_right(addresses, address) - 1
        if index < 0:
            return None
        start = addresses[index]
        # Aliases: the kernel names the first of them.
        while index and addresses[index - 1] == start:
            index -= 1
        after = bisect_right(addresses, start)
        size = addresses[after] - start if after < len(addresses) else 0
        if not 0 < size <= _SIZE_MAX:
            return None
        name, tab, module = self._names[index].partition("\t")
        return name, address - start, size, f" {module}" if tab else ""

    def _read(self) -> list[int]:
        rows: list[tuple[int, int, str]] = []
        for number, line in enumerate(self._kallsyms.split(b"\n")):
            words = line.split(b" ", 2)
            # Names with a dollar mark where code and data begin on ARM.
            if len(words) == 3 and len(words[0]) <= 16 and not words[2].startswith(b"$"):
                try:
                    address = int(words[0], 16)
                except ValueError:
                    continue
                rows.append((address, number, words[2].decode("utf-8", "surrogateescape")))
        rows.sort()
        self._kallsyms = b""
        self._names = [name for _, _, name in rows]
        self._addresses = [address for address, _, _ in rows]
        return self._addresses
