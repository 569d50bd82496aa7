"""What ``trace-cmd report`` prints of an event, in any of its ways.

It pads the name, prints pointers with 0x, has plugins with forms of their own for some
events (``swapper/0:0 [120] R ==> init:1 [120]``), and with -R prints fields as they are.  What
a form leaves out (the parent of a function, the mode of a timer) is None, or empty.

Source: what trace-cmd 3.1.6 with libtraceevent 1.7.1 prints; libtraceevent:
plugins/plugin_sched_switch.c, plugin_hrtimer.c, plugin_function.c.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from irqsim.events import (
    FUNCTION,
    HRTIMER_EXPIRE_ENTRY,
    HRTIMER_START,
    KERNEL_STACK,
    PRINT,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKEUP_NEW,
    TRACEPOINT_BY_NAME,
    UNKNOWN,
    Event,
    EventTable,
    Tracepoint,
    Value,
)
from irqsim.trace.kinds import KINDS, STATE_LETTERS, Kind, default_kind
from irqsim.trace.payload import MARKER, CompiledFormat

Values: TypeAlias = dict[str, Value]
Plugin: TypeAlias = tuple[re.Pattern[str], Callable[[re.Match[str]], Values]]

_PADDING: Final = re.compile(r" *(?:\([-+]?[0-9]{1,18}\) *)?")
"""With --ts-diff there is the time since the event above."""
_NAMED: Final = re.compile(r"[a-zA-Z_]\w*")
_NUMBER: Final = re.compile(r"-?(?:0x[0-9a-f]{1,16}|[0-9]{1,20})")
_BYTES: Final = re.compile(r"ARRAY\[([0-9a-f]{2}(?:, [0-9a-f]{2})*)\]")
_FUNCTION: Final = re.compile(r" *(\S+?)(?:\+0x[0-9a-f]+)? *(?:<--? (\S+?)(?:\+0x[0-9a-f]+)? *)?")
_STATES: Final = {letter: 1 << bit for bit, letter in enumerate(STATE_LETTERS)} | {
    letter: 1 << bit for bit, letter in enumerate("SDTtZXxW")
}
"""The plugin for sched_switch still has the letters of older kernels, which differ in X and Z."""
_S64_MAX: Final = (1 << 63) - 1


def _hexadecimal(name: str) -> Kind:
    """A kind that also reads a number where it reads a name."""
    kind = KINDS[name]

    def parse(text: str, known: Value, other: Value) -> Value:
        if text.startswith("0x"):
            return int(text, 16)
        is_number = name != "p" and text.isdecimal() and len(text) < 20
        return int(text) if is_number else kind.parse(text, known, other)

    return Kind(f"(?:0x[0-9a-f]{{1,16}}|{kind.pattern})", kind.render, parse, kind.other)


REPORT_KINDS: Final = {
    **KINDS, **{name: _hexadecimal(name) for name in ("p", "hrtimer_mode", "clockid", "tick_dep")}
}  # fmt: skip


# -- plugins -----------------------------------------------------------------------------


def _wakeup(found: re.Match[str]) -> Values:
    comm, pid, prio, cpu = found.groups()
    return {"comm": comm, "pid": int(pid), "prio": int(prio), "target_cpu": int(cpu or 0)}


def _switch(found: re.Match[str]) -> Values:
    comm, pid, prio, letters, next_comm, next_pid, next_prio = found.groups()
    state = 0x100 * letters.endswith("+")
    return {
        "prev_comm": comm,
        "prev_pid": int(pid),
        "prev_prio": int(prio),
        "prev_state": state | sum(_STATES.get(each, 0) for each in letters.split("|")),
        "next_comm": next_comm,
        "next_pid": int(next_pid),
        "next_prio": int(next_prio),
    }


def _expire(found: re.Match[str]) -> Values:
    timer, now, function = found.groups()
    return {"hrtimer": int(timer, 16), "now": int(now), "function": _address(function)}


def _start(found: re.Match[str]) -> Values:
    timer, function, expires, soft = found.groups()
    return {
        "hrtimer": int(timer, 16),
        "function": _address(function),
        "expires": int(expires),
        "softexpires": int(soft),
    }


def _address(function: str) -> Value:
    return int(function, 16) if function.startswith("0x") else function


_WHO: Final = r"(.*):([0-9]{1,10}) \[(-?[0-9]{1,10})\]"
_WAKEUP: Final = re.compile(_WHO + r"(?: success=[0-9])?(?: CPU:([0-9]{1,6}))?(?: Latency: .*)?")
_SWITCH: Final = re.compile(_WHO + r" ([A-Za-z|]{1,20}\+?) ==> " + _WHO + r"(?: Latency: .*)?")
_FUNC: Final = r"function=(\S+?)(?:/0x[0-9a-f]{1,16})?"
_EXPIRE: Final = re.compile(r"hrtimer=0x([0-9a-f]{1,16}) now=([0-9]{1,20}) " + _FUNC)
_START: Final = re.compile(
    r"hrtimer=0x([0-9a-f]{1,16}) " + _FUNC + r" expires=([0-9]{1,20}) softexpires=([0-9]{1,20})"
)
PLUGINS: Final[dict[Tracepoint, Plugin]] = {
    SCHED_WAKEUP: (_WAKEUP, _wakeup),
    SCHED_WAKEUP_NEW: (_WAKEUP, _wakeup),
    SCHED_SWITCH: (_SWITCH, _switch),
    HRTIMER_EXPIRE_ENTRY: (_EXPIRE, _expire),
    HRTIMER_START: (_START, _start),
}


class ReportPayloads:
    """The texts of events, as trace-cmd prints them."""

    __slots__ = ("_formats", "_raw")

    def __init__(self) -> None:
        self._formats: dict[Tracepoint, list[CompiledFormat]] = {}
        self._raw: dict[Tracepoint, re.Pattern[str]] = {}

    def parse(self, text: str, table: EventTable) -> Event:
        """The event of a line behind its time."""
        name, colon, body = text.partition(":")
        if not colon or not _NAMED.fullmatch(name):
            found = _PADDING.match(text)
            if found is not None and found[0]:
                return self.parse(text[found.end() :], table)
            return table.intern(UNKNOWN, "", text)
        padding = _PADDING.match(body)
        assert padding is not None
        body = body[padding.end() :]
        tracepoint = TRACEPOINT_BY_NAME.get(name)
        if tracepoint is None or tracepoint is UNKNOWN:
            return table.intern(UNKNOWN, name, body)
        if tracepoint.system == "ftrace":
            return _own(tracepoint, name, body, table)
        values = self._declared(tracepoint, body)
        if values is None:
            return table.intern(UNKNOWN, name, body)
        return table.intern(tracepoint, *values)

    def _declared(self, tracepoint: Tracepoint, body: str) -> tuple[Value, ...] | None:
        formats = self._formats.get(tracepoint)
        if formats is None:
            formats = [
                CompiledFormat(tracepoint, each.template.strip(), REPORT_KINDS)
                for each in tracepoint.formats
            ]
            self._formats[tracepoint] = formats
        for each in formats:
            values = each.parse(body.rstrip(" ") if body.endswith(" ") else body)
            if values is not None:
                return values
        if tracepoint in PLUGINS:
            pattern, read = PLUGINS[tracepoint]
            found = pattern.fullmatch(body)
            if found is not None:
                named = read(found)
                return tuple(named.get(each.name) for each in tracepoint.fields)
        return self._fields(tracepoint, body)

    def _fields(self, tracepoint: Tracepoint, body: str) -> tuple[Value, ...] | None:
        """-R: every field with its name, in the order of the kernel that recorded it."""
        pattern = self._raw.get(tracepoint)
        if pattern is None:
            names = "|".join(each.name for each in tracepoint.fields)
            pattern = self._raw[tracepoint] = re.compile(rf"(?:^| )({names})=")
        texts: dict[str, str] = {}
        found = list(pattern.finditer(body))
        if not found or found[0].start():
            return None
        for each, after in zip(found, [*found[1:], None], strict=True):
            end = len(body) if after is None else after.start()
            texts[each[1]] = body[each.end() : end]
        try:
            return tuple(
                _raw_value(default_kind(each), texts[each.name]) if each.name in texts else None
                for each in tracepoint.fields
            )
        except ValueError:
            return None


def _own(tracepoint: Tracepoint, name: str, body: str, table: EventTable) -> Event:
    """What ftrace records itself."""
    if tracepoint is KERNEL_STACK and not body.startswith("size="):
        above = body.strip().removeprefix("<stack trace >").removeprefix("=> ")
        return table.intern(KERNEL_STACK, above)
    if tracepoint is PRINT:
        function, colon, text = body.removeprefix("ip=").partition(": ")
        if not colon:
            function, colon, text = function.partition(" buf=")
        return table.intern(PRINT if function == MARKER else UNKNOWN, function, text)
    found = _FUNCTION.fullmatch(body.replace("ip=", "", 1).replace(" parent_ip=", " <-- "))
    if tracepoint is FUNCTION and found is not None:
        return table.intern(FUNCTION, found[1], found[2] or "")
    return table.intern(UNKNOWN, name, body)


def _raw_value(kind: str, text: str) -> Value:
    """Raises ValueError for what is no value of that kind."""
    if kind == "s":
        array = _BYTES.fullmatch(text)
        if array is not None:
            return int.from_bytes(bytes.fromhex(array[1].replace(", ", "")), "little")
        return text
    if not _NUMBER.fullmatch(text):
        if kind == "p":
            return text
        array = _BYTES.fullmatch(text)
        if array is None:
            raise ValueError(text)
        return int.from_bytes(bytes.fromhex(array[1].replace(", ", "")), "little")
    value = int(text, 0 if "x" in text else 10)
    return value - (1 << 64) if kind == "llu" and value > _S64_MAX else value
