"""The laws of locks: kernel/locking/spinlock.c, qspinlock.c, mutex.c."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import Outcome, Steps, device, kernel, run, run_free, task

LOCKED: Steps = ["spin_lock L", "run 1ms", "spin_unlock L"]


def _in_section(name: str, cpu: int, start: str, verb: str = "spin_lock", end: str = "") -> str:
    """A task that holds L for 1 ms and says when."""
    steps = [f"{verb} L", f"trace_printk {name} in", "run 1ms", f"trace_printk {name} out"]
    end = end or verb.replace("lock", "unlock")
    return task(name, [*steps, f"{end} L"], cpu=cpu, start=start, mode="kernel")


# -- spin locks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "end"),
    [
        ("spin_lock", "spin_unlock"),
        ("spin_lock_irqsave", "spin_unlock_irqrestore"),
        ("spin_lock_bh", "spin_unlock_bh"),
    ],
)
def test_a_spin_lock_has_one_owner(verb: str, end: str) -> None:
    """The other CPU turns until it is free, without an event.  Source: queued_spin_lock()."""
    outcome = run_free(
        _in_section("a", 0, "0s", verb, end) + _in_section("b", 1, "500us", verb, end)
    )
    assert outcome.said() == ["a in", "a out", "b in", "b out"]
    assert outcome.said_at("b in") - outcome.said_at("a out") <= 1
    between = [line for line in outcome.of(cpu=1) if 600 < line.time_us < 1000]
    assert between == []


def test_a_spin_lock_is_passed_on_in_the_order_of_coming() -> None:
    """A queue, whatever the CPU's number.  Source: queued_spin_lock_slowpath(): MCS."""
    outcome = run_free(
        _in_section("a", 0, "0s")
        + _in_section("c", 3, "100us")
        + _in_section("b", 1, "200us")
        + _in_section("d", 2, "300us")
    )
    order = [words for words in outcome.said() if words.endswith("in")]
    assert order == ["a in", "c in", "b in", "d in"]


def test_locks_of_different_names_do_not_exclude_each_other() -> None:
    """Source: spinlock_t."""
    outcome = run_free(
        task("a", ["spin_lock L", "run 1ms", "spin_unlock L"], cpu=0)
        + task("b", ["spin_lock M", "trace_printk in", "spin_unlock M"], cpu=1, start="500us")
    )
    assert outcome.said_at("in") == 500


def test_a_handler_turns_while_another_cpu_holds_its_lock() -> None:
    """In hard interrupt context, with no event.  Source: queued_spin_lock()."""
    outcome = run_free(
        task("a", LOCKED, cpu=0, mode="kernel")
        + device("d", ["500us"], ["spin_lock L", "spin_unlock L"], affinity=[1])
    )
    begin, end = outcome.irqs("d")
    assert (begin.time_us, end.time_us) == (500, 1000)


def test_a_handler_that_wants_the_lock_of_what_it_interrupted_hangs() -> None:
    """Why such sections switch interrupts off.  Source: debug_spin_lock_before()."""
    text = task("a", LOCKED, cpu=0) + device("d", ["500us"], ["spin_lock L", "spin_unlock L"])
    outcome = run(text)
    assert outcome.simulation.panicked
    assert outcome.dmesg[0].startswith("BUG: spinlock recursion on CPU#0, a/")
    assert outcome.dmesg[1].startswith(" lock: L, .magic: dead4ead, .owner: a/")
    assert outcome.dmesg[2] == "Kernel panic - not syncing: softlockup: hung tasks"
    text = text.replace("spin_lock", "spin_lock_irqsave")
    assert run(text.replace("spin_unlock", "spin_unlock_irqrestore")).dmesg == []


def test_taking_a_lock_twice_hangs() -> None:
    """Spin locks do not nest.  Source: spinlock_t."""
    outcome = run(task("a", ["spin_lock L", "spin_lock L"], cpu=1, pid=77))
    assert outcome.simulation.panicked
    assert outcome.dmesg[0] == "BUG: spinlock recursion on CPU#1, a/77"


def test_a_lock_that_is_never_released_is_a_lockup() -> None:
    """The other CPU waits for ever, and the watchdog says so.  Source: watchdog_timer_fn()."""
    outcome = run(
        task("a", ["spin_lock L", "run 1ms"], cpu=0)
        + task("b", ["spin_lock L"], cpu=1, start="100us", pid=78)
    )
    assert outcome.dmesg == [
        "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [b:78]",
        "Kernel panic - not syncing: softlockup: hung tasks",
    ]


def test_a_section_with_interrupts_off_delays_them_to_its_end() -> None:
    """spin_lock_irqsave(): this CPU's only.  Source: local_irq_save()."""
    outcome = run_free(
        task("a", ["spin_lock_irqsave L", "run 1ms", "spin_unlock_irqrestore L", "run 1ms"], cpu=0)
        + device("here", ["500us"], [], affinity=[0])
        + device("there", ["500us"], [], spi=2, affinity=[1])
    )
    assert outcome.times("irq_handler_entry", "here") == [1000]
    assert outcome.times("irq_handler_entry", "there") == [500]


def test_irqrestore_leaves_interrupts_as_they_were() -> None:
    """Off, where they were off before.  Source: spin_unlock_irqrestore(): flags."""
    outcome = run_free(
        task(
            "a",
            [
                *("local_irq_disable", "spin_lock_irqsave L", "spin_unlock_irqrestore L"),
                *("run 2ms", "local_irq_enable", "run 1us"),
            ],
            cpu=0,
        )
        + device("d", ["1ms"], [])
    )
    assert outcome.times("irq_handler_entry") == [2000]


def test_nested_irqsave_sections_restore_in_turn() -> None:
    """The outermost unlock lets interrupts in.  Source: spin_unlock_irqrestore()."""
    outcome = run_free(
        task(
            "a",
            [
                *("spin_lock_irqsave L", "spin_lock_irqsave M", "run 1ms"),
                *("spin_unlock_irqrestore M", "run 1ms", "spin_unlock_irqrestore L", "run 1ms"),
            ],
            cpu=0,
        )
        + device("d", ["500us"], [])
    )
    assert outcome.times("irq_handler_entry") == [2000]


def test_a_bh_section_delays_softirqs_and_no_interrupts() -> None:
    """They run in spin_unlock_bh().  Source: __raw_spin_unlock_bh()."""
    outcome = run_free(
        task("a", ["spin_lock_bh L", "run 1ms", "spin_unlock_bh L", "run 1ms"], cpu=0)
        + device("d", ["500us"], ["raise_softirq BLOCK"])
    )
    assert outcome.times("irq_handler_entry") == [500]
    entry = outcome.one("softirq_entry")
    assert (entry.time_us, entry.letters) == (1000, "..s1.")


def test_interrupts_come_in_while_a_cpu_waits_for_a_plain_lock() -> None:
    """It turns with interrupts on.  Source: queued_spin_lock()."""
    outcome = run_free(
        task("a", LOCKED, cpu=0, mode="kernel")
        + task("b", LOCKED, cpu=1, start="100us", mode="kernel")
        + device("d", ["500us"], [], affinity=[1])
    )
    assert outcome.times("irq_handler_entry") == [500]


# -- mutexes -----------------------------------------------------------------------------


def _mutual(first_cpu: int, second_cpu: int, steps: Steps) -> Outcome:
    """The task a takes M at 0 and does the steps with it; b wants M at 0.5 ms."""
    return run_free(
        task("a", ["mutex_lock M", *steps, "trace_printk a out", "mutex_unlock M"], cpu=first_cpu)
        + task(
            "b",
            ["mutex_lock M", "trace_printk b in", "mutex_unlock M"],
            cpu=second_cpu,
            start="500us",
            policy="fifo",
        )
    )


def test_a_mutex_has_one_owner_and_its_waiter_sleeps() -> None:
    """D until it is handed over.  Source: __mutex_lock(): TASK_UNINTERRUPTIBLE."""
    outcome = _mutual(0, 0, ["run 1ms", "cond_resched", "run 1ms"])
    assert outcome.said() == ["a out", "b in"]
    assert "b:D>a" in outcome.switches()
    assert outcome.one("sched_waking", "b").comm == "a"


def test_who_waits_for_a_running_owner_turns() -> None:
    """It may be free soon: no sleep, no event.  Source: mutex_optimistic_spin()."""
    outcome = _mutual(0, 1, ["run 2ms"])
    assert outcome.said() == ["a out", "b in"]
    assert outcome.of("sched_waking") == []


def test_who_waits_for_a_sleeping_owner_sleeps() -> None:
    """Source: mutex_spin_on_owner(): owner_on_cpu()."""
    outcome = _mutual(0, 1, ["msleep 8ms"])
    assert outcome.said() == ["a out", "b in"]
    assert "b:D>swapper/1" in outcome.switches(1)


def test_waiters_of_a_mutex_are_woken_in_the_order_of_coming() -> None:
    """Source: __mutex_unlock_slowpath(): the first of wait_list."""
    steps: Steps = ["mutex_lock M", "msleep 8ms", "mutex_unlock M"]
    outcome = run_free(
        task("a", steps, cpu=0)
        + task("c", [*steps, "trace_printk c"], cpu=1, start="1ms")
        + task("b", [*steps, "trace_printk b"], cpu=2, start="2ms")
    )
    assert outcome.said() == ["c", "b"]


def test_taking_a_mutex_twice_hangs() -> None:
    """Only one task can hold it, and not recursively.  Source: check_hung_task()."""
    outcome = run(task("a", ["mutex_lock M", "mutex_lock M", "trace_printk never"], pid=77))
    assert outcome.dmesg == [
        "irqsim: task a:77 sleeps for ever: it waits for mutex 'M' (held by a:77)",
        "INFO: task a:77 blocked for more than 120 seconds.",
        "      Not tainted 6.1.0 #1",
        '"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.',
    ]
    assert outcome.said() == []


def test_a_free_mutex_costs_nothing() -> None:
    """Source: __mutex_trylock_fast()."""
    outcome = run_free(task("a", ["mutex_lock M", "mutex_unlock M", "trace_printk done"], cpu=0))
    assert outcome.said_at("done") == 0


def test_a_mutex_in_an_interrupt_that_must_wait_is_reported() -> None:
    """It sleeps where nobody may.  Source: __schedule_bug()."""
    outcome = run(
        kernel(rcu=False)
        + task("a", ["mutex_lock M", "msleep 5ms", "mutex_unlock M"], cpu=1)
        + device("d", ["1ms"], ["mutex_lock M", "mutex_unlock M"])
    )
    assert outcome.dmesg[0] == "BUG: scheduling while atomic: swapper/0/0/0x00010000"
