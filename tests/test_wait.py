"""The laws of wait queues: kernel/sched/wait.c."""

from __future__ import annotations

from tests.kernel_scenarios import device, run, run_free, task


def _waiter(name: str, cpu: int, start: str = "0s") -> str:
    return task(name, ["wait_event Q", f"trace_printk {name}"], cpu=cpu, start=start)


def test_wait_event_sleeps_until_it_is_woken() -> None:
    """D meanwhile.  Source: wait_event(): TASK_UNINTERRUPTIBLE."""
    outcome = run_free(_waiter("a", 0) + device("d", ["5ms"], ["wake_up Q"]))
    assert "a:D>swapper/0" in outcome.switches()
    assert outcome.said_at("a") == 5000


def test_a_wake_up_that_nobody_used_is_there_for_the_next() -> None:
    """The condition is true already: no sleep.  Source: wait_event(): `if (condition)`."""
    outcome = run_free(_waiter("a", 0, "5ms") + device("d", ["1ms"], ["wake_up Q"]))
    assert outcome.said_at("a") == 5000
    assert not any(name.startswith("a:D") for name in outcome.switches())


def test_a_wake_up_is_used_once() -> None:
    """The second waiter sleeps on.  Source: the scenario's contract: wait_event."""
    outcome = run_free(_waiter("a", 0) + _waiter("b", 1) + device("d", ["5ms"], ["wake_up Q"]))
    assert len(outcome.said()) == 1


def test_waiters_are_served_in_the_order_of_coming() -> None:
    """Source: prepare_to_wait_exclusive(): at the queue's tail."""
    outcome = run_free(
        _waiter("b", 1, "2ms") + _waiter("a", 0, "1ms") + device("d", ["5ms", "6ms"], ["wake_up Q"])
    )
    assert outcome.said() == ["a", "b"]


def test_two_wake_ups_serve_two() -> None:
    """Source: the scenario's contract: wake_up."""
    outcome = run_free(
        _waiter("a", 0) + _waiter("b", 1) + device("d", ["5ms"], ["wake_up Q", "wake_up Q"])
    )
    assert sorted(outcome.said()) == ["a", "b"]


def test_queues_of_different_names_are_different() -> None:
    """Source: wait_queue_head."""
    outcome = run(_waiter("a", 0) + device("d", ["5ms"], ["wake_up P"]))
    assert outcome.said() == []


def test_a_task_wakes_another_across_cpus() -> None:
    """The waker goes on.  Source: __wake_up(), try_to_wake_up()."""
    outcome = run(_waiter("a", 0) + task("b", ["run 2ms", "wake_up Q", "trace_printk b"], cpu=1))
    assert outcome.one("sched_waking", "a").comm == "b"
    assert outcome.one("sched_waking", "a").cpu == 1
    assert sorted(outcome.said()) == ["a", "b"]


def test_other_wake_ups_do_not_end_the_wait() -> None:
    """It looks at its condition, and sleeps again.  Source: ___wait_event(): the loop."""
    outcome = run_free(
        _waiter("a", 0)
        + device("d", ["5ms"], ["wake_up_process a"])
        + device("e", ["9ms"], ["wake_up Q"], spi=2)
    )
    assert outcome.said_at("a") == 9000
    assert len([name for name in outcome.switches() if name.startswith("a:D")]) == 2
