"""The laws of tasklets: kernel/softirq.c, include/linux/interrupt.h."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import (
    Outcome,
    device,
    kernel,
    lasting,
    run,
    run_free,
    table,
    task,
    tasklet,
)

RUN = ("tasklet_entry", "tasklet_exit")


def _entries(outcome: Outcome, cpu: int | None = None) -> list[str]:
    return outcome.gists("tasklet_entry", cpu=cpu)


def test_tasklets_run_in_the_order_in_which_they_were_scheduled() -> None:
    """Each goes to the list's tail.  Source: __tasklet_schedule_common()."""
    outcome = run(
        "".join(tasklet(name, "run 1us") for name in "abc")
        + device("d", ["1ms"], [f"tasklet_schedule {name}" for name in "cab"])
    )
    assert _entries(outcome) == ["c", "a", "b"]


def test_a_tasklet_that_waits_is_not_scheduled_again() -> None:
    """TASKLET_STATE_SCHED coalesces: one run, and no second raise.

    Source: tasklet_schedule(): test_and_set_bit().
    """
    outcome = run(tasklet("t", "run 1us") + device("d", ["1ms"], ["tasklet_schedule t"] * 3))
    assert outcome.gists("softirq_raise") == ["TASKLET"]
    assert _entries(outcome) == ["t"]


def test_each_tasklet_that_is_queued_raises_its_vector() -> None:
    """Two tasklets: two raises of vector 6, one entry.  Source: __tasklet_schedule_common()."""
    steps = ["tasklet_schedule a", "tasklet_schedule b"]
    outcome = run(tasklet("a") + tasklet("b") + device("d", ["1ms"], steps))
    assert outcome.gists("softirq_raise") == ["TASKLET", "TASKLET"]
    assert outcome.gists("softirq_entry") == ["TASKLET"]


def test_hi_tasklets_run_first() -> None:
    """They are the work of vector 0.  Source: __tasklet_hi_schedule(), tasklet_hi_action()."""
    outcome = run(
        tasklet("low")
        + tasklet("high")
        + device("d", ["1ms"], ["tasklet_schedule low", "tasklet_hi_schedule high"])
    )
    assert outcome.gists("softirq_raise") == ["TASKLET", "HI"]
    assert _entries(outcome) == ["high", "low"]


def test_a_tasklet_runs_as_softirq_with_interrupts_on() -> None:
    """In whose context the interrupt came.  Source: tasklet_action_common()."""
    outcome = run(
        tasklet("t", "run 5us")
        + device("d", ["1ms"], ["tasklet_schedule t"])
        + task("a", ["run 3ms"], cpu=0)
    )
    assert outcome.story(*RUN) == ["..s.. tasklet_entry t", "..s.. tasklet_exit t"]
    assert outcome.one("tasklet_entry").comm == "a"
    assert outcome.one("tasklet_entry").text == "tasklet=t_tasklet function=t"


def test_a_tasklet_that_schedules_itself_runs_in_the_next_pass() -> None:
    """SCHED is cleared before it runs; the list it goes to is the next pass's.

    Source: tasklet_action_common().
    """
    outcome = run(
        lasting("2ms")
        + tasklet("t", "run 10us", "tasklet_schedule t")
        + tasklet("u")
        + device("d", ["1ms"], ["tasklet_schedule t", "tasklet_schedule u"])
    )
    assert _entries(outcome)[:4] == ["t", "u", "t", "t"]
    # Ten passes, then ksoftirqd.
    entries = outcome.of("softirq_entry")
    assert [line.comm for line in entries[:11]] == ["<idle>"] * 10 + ["ksoftirqd/0"]


def test_a_tasklet_that_waits_on_one_cpu_is_not_queued_on_another() -> None:
    """SCHED belongs to the tasklet, not to a CPU.  Source: tasklet_schedule()."""
    outcome = run(
        tasklet("t", "run 1us")
        + task("a", ["local_bh_disable", "tasklet_schedule t", "run 2ms", "local_bh_enable"], cpu=0)
        + device("d", ["1ms"], ["tasklet_schedule t"], affinity=[1])
    )
    assert [line.cpu for line in outcome.of("tasklet_entry")] == [0]
    assert outcome.of("softirq_raise", cpu=1) == []


def test_a_tasklet_runs_on_the_cpu_that_scheduled_it() -> None:
    """The lists are per CPU.  Source: __tasklet_schedule()."""
    outcome = run(
        tasklet("t", "run 1us") + device("d", ["1ms"], ["tasklet_schedule t"], affinity=[3])
    )
    assert outcome.one("tasklet_entry").cpu == 3


def test_a_tasklet_scheduled_by_a_task_wakes_ksoftirqd() -> None:
    """Its raise is as any other.  Source: __tasklet_schedule_common(): raise_softirq_irqoff()."""
    outcome = run(tasklet("t", "run 1us") + task("a", ["tasklet_schedule t", "run 1ms"], cpu=0))
    assert outcome.one("tasklet_entry").comm == "ksoftirqd/0"


# -- disabled ----------------------------------------------------------------------------


def test_a_disabled_tasklet_makes_its_vector_turn() -> None:
    """It is queued again and its vector raised, pass after pass, then in ksoftirqd.

    Source: tasklet_action_common().
    """
    outcome = run(
        lasting("2ms")
        + tasklet("t", disabled=True)
        + device("d", ["1ms"], ["tasklet_schedule t"])
    )
    story = outcome.story("softirq_entry", "softirq_raise", "softirq_exit", "tasklet_entry")
    assert story[1:4] == [
        "..s.. softirq_entry TASKLET",
        "d.s.. softirq_raise TASKLET",
        "..s.. softirq_exit TASKLET",
    ]
    assert not any("tasklet_entry" in line for line in story)
    assert len(outcome.times("sched_waking", "ksoftirqd/0")) == 1
    last = outcome.of("softirq_entry")[-1]
    assert last.comm == "ksoftirqd/0"
    assert last.time_us > 1990


def test_a_tasklet_behind_a_disabled_one_runs() -> None:
    """The list goes on.  Source: tasklet_action_common()."""
    outcome = run(
        lasting("2ms")
        + tasklet("t", disabled=True)
        + tasklet("u", "run 1us")
        + device("d", ["1ms"], ["tasklet_schedule t", "tasklet_schedule u"])
    )
    assert _entries(outcome) == ["u"]


def test_a_tasklet_runs_when_it_has_been_enabled_as_often_as_disabled() -> None:
    """`count` is a depth.  Source: tasklet_disable_nosync(), tasklet_enable()."""
    outcome = run(
        tasklet("t", "run 1us", disabled=True)
        + device("d", ["1ms"], ["tasklet_schedule t", "tasklet_disable t"])
        + task(
            "a",
            [
                *("msleep 5ms", "tasklet_enable t", "trace_printk once", "msleep 5ms"),
                *("tasklet_enable t", "trace_printk twice"),
            ],
            cpu=1,
        )
    )
    assert outcome.gists("print", "tasklet_entry") == ["once", "twice", "t"]


def test_tasklet_disable_waits_for_a_run_elsewhere() -> None:
    """When it returns the tasklet does not run.  Source: tasklet_disable()."""
    outcome = run_free(
        tasklet("t", "run 500us")
        + device("d", ["1ms"], ["tasklet_schedule t"])
        + task("a", ["run 1200us", "tasklet_disable t", "trace_printk off"], cpu=1)
    )
    assert outcome.said_at("off") == outcome.one("tasklet_exit").time_us


# -- on several CPUs ---------------------------------------------------------------------


def _contended() -> Outcome:
    """CPU 1 schedules a tasklet while CPU 0 runs it."""
    return run(
        lasting("4ms")
        + tasklet("t", "run 500us")
        + device("a", ["1ms"], ["tasklet_schedule t"], spi=1, affinity=[0])
        + device("b", ["1200us"], ["tasklet_schedule t"], spi=2, affinity=[1])
    )


def test_a_tasklet_never_runs_on_two_cpus_at_once() -> None:
    """TASKLET_STATE_RUN is a lock.  Source: tasklet_trylock(). 22."""
    outcome = _contended()
    first, second = outcome.of("tasklet_entry")
    assert (first.cpu, second.cpu) == (0, 1)
    assert second.time_us >= outcome.of("tasklet_exit")[0].time_us


def test_a_cpu_that_finds_a_tasklet_busy_turns_its_vector() -> None:
    """Queued again and raised again, as a disabled one.  Source: tasklet_action_common()."""
    outcome = _contended()
    raises = outcome.story("softirq_raise", cpu=1)
    assert raises[0] == "d.h.. softirq_raise TASKLET"
    assert set(raises[1:]) == {"d.s.. softirq_raise TASKLET"}
    assert len(raises) > 10


def test_a_running_tasklet_can_be_scheduled_and_runs_once_more() -> None:
    """SCHED was cleared when it began.  Source: tasklet_action_common()."""
    outcome = run(
        tasklet("t", "run 500us")
        + device("a", ["1ms"], ["tasklet_schedule t"])
        + device("b", ["1100us", "1200us", "1300us"], ["tasklet_schedule t"], spi=2)
    )
    assert _entries(outcome) == ["t", "t"]


def test_different_tasklets_run_at_the_same_time() -> None:
    """Each has its own RUN bit.  Source: tasklet_trylock()."""
    outcome = run(
        tasklet("t", "run 500us")
        + tasklet("u", "run 500us")
        + device("a", ["1ms"], ["tasklet_schedule t"], spi=1, affinity=[0])
        + device("b", ["1ms"], ["tasklet_schedule u"], spi=2, affinity=[1])
    )
    assert outcome.one("tasklet_entry", "u").time_us < outcome.one("tasklet_exit", "t").time_us


# -- killed ------------------------------------------------------------------------------


def test_tasklet_kill_waits_until_it_has_run() -> None:
    """Neither queued nor running when it returns.  Source: tasklet_kill()."""
    outcome = run_free(
        tasklet("t", "run 500us")
        + device("d", ["1ms"], ["tasklet_schedule t"])
        + task("a", ["run 1200us", "tasklet_kill t", "trace_printk dead"], cpu=1)
    )
    assert outcome.said_at("dead") == outcome.one("tasklet_exit").time_us


def test_a_killed_tasklet_can_be_scheduled_again() -> None:
    """tasklet_kill() clears SCHED at its end.  Source: tasklet_kill(): tasklet_clear_sched()."""
    outcome = run(
        tasklet("t", "run 1us")
        + task("a", ["tasklet_kill t"], cpu=1)
        + device("d", ["5ms"], ["tasklet_schedule t"])
    )
    assert _entries(outcome) == ["t"]


def test_tasklet_kill_in_an_interrupt_is_noticed() -> None:
    """A message, and it goes on.  Source: tasklet_kill()."""
    outcome = run(tasklet("t") + device("d", ["1ms"], ["tasklet_kill t", "trace_printk after"]))
    assert outcome.dmesg == ["Attempt to kill tasklet from interrupt"]
    assert outcome.said() == ["after"]


def test_waiting_for_a_tasklet_that_cannot_run_is_a_lockup() -> None:
    """The handler keeps its CPU from running what it waits for: it would hang.

    Source: tasklet_kill(): wait_on_bit; print_other_cpu_stall().
    """
    text = tasklet("t") + device("d", ["1ms"], ["tasklet_schedule t", "tasklet_kill t"])
    assert run(text).dmesg == [
        "Attempt to kill tasklet from interrupt",
        "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
        "Kernel panic - not syncing: RCU Stall",
    ]


def test_a_softirq_of_the_scenario_runs_after_the_tasklets() -> None:
    """`[softirq]` adds to the vector's built-in duty.  Source: the scenario's contract."""
    outcome = run(
        table("softirq", TASKLET=["trace_printk added"])
        + tasklet("t", "run 1us")
        + device("d", ["1ms"], ["tasklet_schedule t"])
    )
    assert outcome.gists("tasklet_exit", "print") == ["t", "added"]


@pytest.mark.parametrize(("release", "sleeps"), [("5.10", False), ("6.1", True)])
def test_who_disables_a_tasklet_that_runs_sleeps_or_turns(release: str, sleeps: bool) -> None:
    """D until the tasklet has ended and wakes it.  Source: tasklet_unlock_wait()."""
    outcome = run_free(
        kernel(release=release)
        + tasklet("t", "run 500us")
        + device("d", ["1ms"], ["tasklet_schedule t"])
        + task("a", ["run 1200us", "tasklet_disable t", "trace_printk off"], cpu=1)
    )
    assert ("a:D>swapper/1" in outcome.switches(1)) == sleeps
    assert len(outcome.of("sched_waking", gist="a", cpu=0)) == sleeps
