"""The queue of what the hardware will do, and when.

Two things move simulated time: the hardware's own events (an arrival, a timer that expires,
an operator at the keyboard), which stand here, and the CPUs, which the engine steps.  At the
same instant the hardware goes first, in the order in which its events were scheduled.

Heap entries are single integers, ``time << SERIAL_BITS | serial``: a total order in which no
comparison ever reaches an object, and serials are never used twice.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

NEVER: Final = 1 << 80
"""An instant that does not come, in ns."""

_SERIAL_BITS: Final = 48

Action = Callable[[int], None]
"""What happens: called with the instant, in ns."""


class EventQueue:
    """Hardware events in the order (time, serial)."""

    __slots__ = ("_actions", "_heap", "_serial", "next_ns")

    next_ns: int
    """When the next event is due; NEVER when there is none."""

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._actions: dict[int, Action] = {}
        self._serial = 0
        self.next_ns = NEVER

    def schedule(self, time_ns: int, action: Action) -> int:
        """Have `action` called at `time_ns`; returns a handle for `cancel`."""
        self._serial += 1
        key = time_ns << _SERIAL_BITS | self._serial
        heappush(self._heap, key)
        self._actions[key] = action
        if time_ns < self.next_ns:
            self.next_ns = time_ns
        return key

    def cancel(self, handle: int) -> None:
        """Forget an event; one that has happened already is forgotten silently."""
        if self._actions.pop(handle, None) is not None:
            self._advance()

    def run_due(self, now_ns: int) -> None:
        """Let everything happen that is due at `now_ns`, also what that schedules for now."""
        heap, actions = self._heap, self._actions
        end = now_ns + 1 << _SERIAL_BITS
        while heap and heap[0] < end:
            action = actions.pop(heappop(heap), None)
            if action is not None:
                action(now_ns)
        self._advance()

    def _advance(self) -> None:
        heap, actions = self._heap, self._actions
        while heap and heap[0] not in actions:
            heappop(heap)
        self.next_ns = heap[0] >> _SERIAL_BITS if heap else NEVER
