"""Perfetto's native trace: packets of protobuf, with the events in ftrace bundles.

Only so do its interrupt and softirq tracks appear: its importer of text knows no interrupts.
The few fields that are needed are written here, a dozen lines of varints instead of a
dependency that brings all messages.  Events without a message of their own go as generic
ones, with their fields by name.

Source: protos/perfetto/trace/: trace_packet.proto, ftrace/ftrace_event.proto,
ftrace/ftrace_event_bundle.proto, ftrace/generic.proto, interned_data/interned_data.proto,
ps/process_tree.proto: the numbers of messages and fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from irqsim.errors import IrqsimError
from irqsim.events import KERNEL_STACK, PRINT, UNKNOWN, Event, Field, Tracepoint, Value
from irqsim.records import UNKNOWN_TGID, Lost, Record
from irqsim.trace.entry import DYNAMIC
from irqsim.trace.kinds import mask_value, pointer_value
from irqsim.trace.target import Target

_TASK: Final = "comm=1 pid=2 prio=3"
_WAKEUP: Final = _TASK + " target_cpu=5"
_WORK: Final = "work=1 function=2"
_CPUHP: Final = "cpu=1 fun=2 idx=3 target=4"

_MESSAGES: Final[dict[str, tuple[int, str]]] = {
    "sched_switch": (
        4,
        "prev_comm=1 prev_pid=2 prev_prio=3 prev_state=4 next_comm=5 next_pid=6 next_prio=7",
    ),
    "cpu_idle": (13, "state=1 cpu_id=2"),
    "sched_wakeup": (17, _WAKEUP),
    "sched_waking": (20, _WAKEUP),
    "ipi_entry": (21, "reason=1"),
    "ipi_exit": (22, "reason=1"),
    "ipi_raise": (23, "target_cpus=1 reason=2"),
    "softirq_entry": (24, "vec=1"),
    "softirq_exit": (25, "vec=1"),
    "softirq_raise": (26, "vec=1"),
    "irq_handler_entry": (36, "irq=1 name=2"),
    "irq_handler_exit": (37, "irq=1 ret=2"),
    "workqueue_activate_work": (56, _WORK),
    "workqueue_execute_end": (57, _WORK),
    "workqueue_execute_start": (58, _WORK),
    "workqueue_queue_work": (59, _WORK + " req_cpu=4 cpu=5 workqueue=6"),
    "sched_wakeup_new": (114, _WAKEUP),
    "sched_process_exec": (237, "filename=1 pid=2 old_pid=3"),
    "sched_process_exit": (238, "comm=1 pid=2 prio=4"),
    "sched_process_fork": (239, "parent_comm=1 parent_pid=2 child_comm=3 child_pid=4"),
    "sched_process_free": (240, _TASK),
    "sched_process_wait": (242, _TASK),
    "cpuhp_exit": (343, "cpu=1 idx=2 ret=3 state=4"),
    "cpuhp_multi_enter": (344, _CPUHP),
    "cpuhp_enter": (345, _CPUHP),
    "sched_pi_setprio": (353, "comm=1 newprio=2 oldprio=3 pid=4"),
    "netif_receive_skb": (360, "len=1 name=2 skbaddr=3"),
    "sched_migrate_task": (491, _TASK + " orig_cpu=4 dest_cpu=5"),
    "hrtimer_start": (551, "hrtimer=1 function=2 expires=3 softexpires=4 mode=5"),
    "hrtimer_cancel": (552, "hrtimer=1"),
    "hrtimer_expire_entry": (553, "hrtimer=1 now=2 function=3"),
    "hrtimer_expire_exit": (554, "hrtimer=1"),
    "timer_start": (555, "timer=1 function=2 expires=3 now=4 flags=6 bucket_expiry=7"),
    "timer_cancel": (556, "timer=1"),
    "timer_expire_entry": (557, "timer=1 now=2 function=3 baseclk=4"),
    "timer_expire_exit": (558, "timer=1"),
}
"""By the name of a tracepoint: its number in FtraceEvent, and the numbers of its fields."""

_PRINT: Final = 3
_GENERIC: Final = 327

_SYMBOLS: Final = frozenset({"function", "fun", "func", "callsite", "callback", "tasklet"})
"""Fields that hold the address of something with a name."""

_SEQUENCE: Final = 1
_STATE_CLEARED: Final = 1
_NEEDS_STATE: Final = 2

_U64: Final = 1 << 64


def _varint(value: int) -> bytes:
    """Negative numbers are those of 64 bits that they are in two's complement."""
    value %= _U64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field: int, value: Value) -> bytes:
    """A string, which has to be UTF-8."""
    data = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _bytes(field, data.encode())


def _said(field: int, value: int | str) -> bytes:
    return _text(field, value) if isinstance(value, str) else _number(field, value)


class Perfetto:
    """A trace for ui.perfetto.dev and the trace processor, written while records come."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._symbols: dict[str, int] = {}
        """Functions that have been named, with their numbers."""
        self._new_symbols: list[str] = []
        self._payloads: dict[int, bytes] = {}
        """By Event.index: what an event says, without its time and its task."""
        self._tasks: dict[int, tuple[str, int]] = {}
        self._has_begun = False

    def add(self, items: Sequence[Record | Lost]) -> None:
        """Write the next records: a bundle for each CPU."""
        if not self._has_begun and self._target.header().clock == "counts":
            raise IrqsimError("perfetto: the trace counts events and has no times")
        bundles: dict[int, list[bytes]] = {}
        lost: dict[int, bytes] = {}
        for item in items:
            if isinstance(item, Lost):
                lost[item.cpu] = _number(3, 1)
                bundles.setdefault(item.cpu, [])
                continue
            time_ns, context, event = item
            if context.pid:
                self._tasks[context.pid] = (context.comm, context.tgid)
            payload = self._payloads.get(event.index)
            if payload is None:
                payload = self._payload(event)
                if event.index >= 0:
                    self._payloads[event.index] = payload
            said = _number(1, time_ns) + _number(2, context.pid) + payload
            said += _number(5, context.flags & 0xFF)
            bundles.setdefault(context.cpu, []).append(_bytes(2, said))
        for cpu in sorted(bundles):
            body = _number(1, cpu) + b"".join(bundles[cpu]) + lost.get(cpu, b"")
            self._packet(_bytes(1, body))

    def finish(self) -> None:
        """Write who the tasks were."""
        threads = []
        for pid, (comm, tgid) in sorted(self._tasks.items()):
            leader = pid if tgid in (UNKNOWN_TGID, 0) else tgid
            threads.append(_bytes(2, _number(1, pid) + _text(2, comm) + _number(3, leader)))
        self._packet(_bytes(2, b"".join(threads)))

    def _packet(self, body: bytes) -> None:
        flags = _NEEDS_STATE if self._has_begun else _NEEDS_STATE | _STATE_CLEARED
        if self._new_symbols:
            named = [
                _bytes(26, _number(1, self._symbols[name]) + _text(2, name))
                for name in self._new_symbols
            ]
            body += _bytes(12, b"".join(named))
            self._new_symbols.clear()
        self._has_begun = True
        body += _number(10, _SEQUENCE) + _number(13, flags)
        self._target.stream.write_bytes(_bytes(1, body))

    def _payload(self, event: Event) -> bytes:
        tracepoint = event.tracepoint
        if tracepoint is PRINT:
            return _bytes(_PRINT, _text(2, f"{event.values[1]}\n"))
        if tracepoint is UNKNOWN:
            name, text = event.values
            said = _text(1, name or "text") + _bytes(2, _text(1, "text") + _text(3, text))
            return _bytes(_GENERIC, said)
        known = _MESSAGES.get(tracepoint.name)
        if known is None:
            return _bytes(_GENERIC, self._generic(tracepoint, event))
        number, places = known
        parts = []
        for pair in places.split():
            name, _, place = pair.partition("=")
            value = event.values[tracepoint.index_of[name]]
            if value is not None:
                field = tracepoint.fields[tracepoint.index_of[name]]
                parts.append(_said(int(place), self._value(field, value)))
        return _bytes(number, b"".join(parts))

    def _generic(self, tracepoint: Tracepoint, event: Event) -> bytes:
        parts = [_text(1, tracepoint.name)]
        for field, value in zip(tracepoint.fields, event.values, strict=True):
            if value is None:
                continue
            is_name = field.name in _SYMBOLS or tracepoint is KERNEL_STACK
            what = str(value) if is_name else self._value(field, value)
            # In a generic field text and numbers have places of their own.
            data = _said(3 if isinstance(what, str) else 4, what)
            parts.append(_bytes(2, _text(1, field.name) + data))
        return b"".join(parts)

    def _value(self, field: Field, value: Value) -> int | str:
        ctype = field.ctype
        if "char" in ctype and ctype != "unsigned char":
            return str(value)
        if ctype.startswith(DYNAMIC):
            return mask_value(value)
        if field.name in _SYMBOLS:
            return self._symbol(value)
        if isinstance(value, str):
            return pointer_value(value)
        return value or 0

    def _symbol(self, value: Value) -> int:
        """The number of a function in the table of names."""
        if isinstance(value, int):
            return value
        name = str(value)
        number = self._symbols.get(name)
        if number is None:
            number = self._symbols[name] = len(self._symbols) + 1
            self._new_symbols.append(name)
        return number
