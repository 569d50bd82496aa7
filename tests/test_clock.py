"""The laws of the hardware's event queue: irqsim.clock."""

from __future__ import annotations

from irqsim.clock import NEVER, EventQueue


def _log() -> tuple[EventQueue, list[str]]:
    return EventQueue(), []


def test_events_come_in_the_order_of_their_times() -> None:
    """Whatever the order of scheduling."""
    queue, log = _log()
    for time in (30, 10, 20):
        queue.schedule(time, lambda now: log.append(str(now)))
    assert queue.next_ns == 10
    queue.run_due(10)
    queue.run_due(30)
    assert log == ["10", "30", "30"]


def test_events_of_one_instant_come_in_the_order_of_scheduling() -> None:
    """The serial number decides: no comparison reaches an action."""
    queue, log = _log()
    for name in "cab":
        queue.schedule(5, lambda now, name=name: log.append(name))  # type: ignore[misc]
    queue.run_due(5)
    assert log == ["c", "a", "b"]


def test_what_an_event_schedules_for_now_happens_now() -> None:
    """After what was there before."""
    queue, log = _log()

    def first(now: int) -> None:
        log.append("a")
        queue.schedule(now, lambda _: log.append("c"))

    queue.schedule(5, first)
    queue.schedule(5, lambda now: log.append("b"))
    queue.run_due(5)
    assert log == ["a", "b", "c"]
    assert queue.next_ns == NEVER


def test_a_cancelled_event_does_not_happen() -> None:
    """And no longer is the next one."""
    queue, log = _log()
    handle = queue.schedule(5, lambda now: log.append("a"))
    queue.schedule(9, lambda now: log.append("b"))
    queue.cancel(handle)
    assert queue.next_ns == 9
    queue.run_due(9)
    assert log == ["b"]


def test_cancelling_what_has_happened_is_nothing() -> None:
    """Nor twice."""
    queue, log = _log()
    handle = queue.schedule(5, lambda now: log.append("a"))
    queue.run_due(5)
    queue.cancel(handle)
    queue.cancel(handle)
    assert log == ["a"]
    assert queue.next_ns == NEVER


def test_an_event_can_cancel_another_of_its_instant() -> None:
    """Before it has come."""
    queue, log = _log()
    handles: list[int] = []
    queue.schedule(5, lambda now: queue.cancel(handles[0]))
    handles.append(queue.schedule(5, lambda now: log.append("a")))
    queue.run_due(5)
    assert log == []


def test_handles_are_never_used_twice() -> None:
    """A handle of an event that happened does not cancel a later one."""
    queue, log = _log()
    first = queue.schedule(5, lambda now: log.append("a"))
    queue.run_due(5)
    second = queue.schedule(6, lambda now: log.append("b"))
    assert first != second
    queue.cancel(first)
    queue.run_due(6)
    assert log == ["a", "b"]


def test_an_empty_queue_has_no_next_event() -> None:
    """NEVER, and running it does nothing."""
    queue = EventQueue()
    assert queue.next_ns == NEVER
    queue.run_due(100)
    assert queue.next_ns == NEVER
