"""The laws of lockups: whoever can never go on is found, reported, and the run ends."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import Outcome, device, hrtimer, kernel, lasting, run, task, tasklet

PANIC = "Kernel panic - not syncing: softlockup: hung tasks"
IN_VAIN = "irqsim: lockup: CPU#0 [{}] waits for {}, and keeps it from that itself"


def _ended(outcome: Outcome) -> str:
    """The report of a machine that panicked of a lockup: its last but one line."""
    assert outcome.simulation.panicked
    assert outcome.dmesg[-1] == PANIC
    return outcome.dmesg[-2]


@pytest.mark.parametrize(
    ("text", "report"),
    [
        (
            device("d", ["1ms"], ["synchronize_irq d"]),
            IN_VAIN.format("swapper/0:0", "the handlers of irq 13 to return"),
        ),
        (
            device("d", ["1ms"], ["tasklet_schedule t"]) + tasklet("t", "tasklet_kill t"),
            IN_VAIN.format("swapper/0:0", "tasklet 't' to end"),
        ),
        (
            device("d", ["1ms"], ["tasklet_schedule t"]) + tasklet("t", "tasklet_disable t"),
            IN_VAIN.format("swapper/0:0", "tasklet 't' to end"),
        ),
        (
            hrtimer("h", "hrtimer_cancel h", expires="1ms"),
            IN_VAIN.format("swapper/0:0", "the function of hrtimer h to return"),
        ),
        (
            device("d", ["1ms"], ["tasklet_schedule t"])
            + tasklet("t", "run 50us")
            + device("e", ["1020us"], ["tasklet_disable t"], spi=2),
            IN_VAIN.format("swapper/0:0", "tasklet 't' to end"),
        ),
    ],
)
def test_who_waits_for_itself_is_found_at_once(text: str, report: str) -> None:
    """What is waited for runs on the same CPU, below what waits; whatever the run's end is."""
    outcome = run(lasting("20ms") + text)
    assert _ended(outcome) == report
    assert outcome.simulation.kernel.now_ns < 2_000_000


def test_free_irq_in_the_lines_own_handler_is_a_lockup() -> None:
    """With the kernel's warning in front.  Source: __free_irq(): WARN(in_interrupt())."""
    outcome = run(device("d", ["1ms"], ["free_irq d"]))
    assert _ended(outcome).endswith("and keeps it from that itself")
    assert "Trying to free IRQ 13 from IRQ context!" in outcome.dmesg


@pytest.mark.parametrize("step", ["synchronize_irq d", "disable_irq d", "free_irq d"])
def test_a_thread_that_waits_for_its_own_end_sleeps_for_ever(step: str) -> None:
    """D, and the others go on; khungtaskd says so.  Source: synchronize_irq(), kthread_stop()."""
    outcome = run(
        device("d", ["1ms"], [], thread=[step, "trace_printk never"])
        + device("e", ["5ms"], ["trace_printk others"], spi=2)
    )
    assert outcome.dmesg[0].startswith("irqsim: task irq/13-d:100 sleeps for ever: it waits for")
    assert outcome.dmesg[1] == "INFO: task irq/13-d:100 blocked for more than 120 seconds."
    assert outcome.said() == ["others"]
    assert "irq/13-d:D>swapper/0" in outcome.switches()


def _in_a_circle(first: str, second: str, step: str = "spin_lock") -> str:
    """Two tasks on two CPUs that take two locks in opposite order."""
    one = [f"{step} {first}", "run 100us", f"{step} {second}"]
    other = [f"{step} {second}", "run 100us", f"{step} {first}"]
    return task("a", one, cpu=0, pid=77) + task("b", other, cpu=1, pid=78, start="10us")


@pytest.mark.parametrize("step", ["spin_lock", "spin_lock_irqsave", "spin_lock_bh"])
def test_two_cpus_that_wait_for_each_others_lock_are_found(step: str) -> None:
    """When the second begins to wait.  Source: spin_dump(): "lockup suspected"."""
    outcome = run(lasting("5ms") + _in_a_circle("L", "M", step))
    assert outcome.simulation.panicked
    assert outcome.dmesg == [
        "BUG: spinlock lockup suspected on CPU#1, b/78",
        " lock: L, .magic: dead4ead, .owner: a/77, .owner_cpu: 0",
        PANIC,
    ]


def test_a_circle_of_three_is_found_too() -> None:
    """However long it is."""
    names = ["L", "M", "N"]
    text = "".join(
        task(
            f"t{cpu}",
            [f"spin_lock {names[cpu]}", "run 100us", f"spin_lock {names[(cpu + 1) % 3]}"],
            cpu=cpu,
        )
        for cpu in range(3)
    )
    outcome = run(lasting("5ms") + text)
    assert "spinlock lockup suspected" in outcome.dmesg[0]


def test_a_handler_against_the_locks_of_another_cpu_is_found() -> None:
    """Task a holds L, its interrupt wants M; b holds M and wants L."""
    outcome = run(
        lasting("5ms")
        + task("a", ["spin_lock L", "run 1ms", "spin_unlock L"], cpu=0, mode="kernel")
        + task("b", ["spin_lock M", "run 100us", "spin_lock L"], cpu=1, mode="kernel")
        + device("d", ["500us"], ["spin_lock M", "spin_unlock M"], affinity=[0])
    )
    assert _ended(outcome).startswith(" lock: M, ")


def test_an_interrupt_that_holds_a_lock_for_a_while_is_no_deadlock() -> None:
    """b spins on L, below its interrupt, which will release M."""
    outcome = run(
        lasting("5ms")
        + task("a", ["spin_lock L", "run 300us", "spin_lock M", "spin_unlock M", "spin_unlock L"],
               cpu=0, mode="kernel")
        + task("b", ["run 50us", "spin_lock L", "spin_unlock L"], cpu=1, mode="kernel")
        + device("d", ["200us"], ["spin_lock M", "run 400us", "spin_unlock M"], affinity=[1])
    )  # fmt: skip
    assert outcome.dmesg == []


def test_mutexes_in_a_circle_are_reported_and_the_rest_goes_on() -> None:
    """The second says so when it goes to sleep.  Source: check_hung_task()."""
    outcome = run(
        _in_a_circle("M", "N", "mutex_lock") + device("e", ["5ms"], ["trace_printk others"])
    )
    assert outcome.dmesg[0] == (
        "irqsim: task b:78 sleeps for ever: it waits for mutex 'M' (held by a:77), "
        "which waits for 'N' (held by b:78)"
    ) or outcome.dmesg[0].startswith("irqsim: task a:77 sleeps for ever")
    assert outcome.said() == ["others"]
    assert not outcome.simulation.panicked


def test_a_run_with_an_end_does_not_wait_for_khungtaskd() -> None:
    """Two minutes are long."""
    outcome = run(lasting("20ms") + task("a", ["mutex_lock M", "mutex_lock M"], pid=77))
    assert len(outcome.dmesg) == 1


def test_a_spin_with_interrupts_off_is_a_stall_of_rcu() -> None:
    """No watchdog's timer comes through; another CPU says so.  Source: print_other_cpu_stall()."""
    for preempt, flavour in (("voluntary", "rcu_sched"), ("full", "rcu_preempt")):
        outcome = run(
            kernel(preempt=preempt)
            + task("a", ["spin_lock L", "run 1ms"], cpu=0)
            + task("b", ["spin_lock_irqsave L"], cpu=1, start="100us")
        )
        assert outcome.dmesg[-2:] == [
            f"rcu: INFO: {flavour} detected stalls on CPUs/tasks:",
            "Kernel panic - not syncing: RCU Stall",
        ]
