"""The laws of the tick: kernel/time/tick-sched.c, kernel/time/timer.c: update_process_times."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import (
    Outcome,
    device,
    hrtimer,
    kernel,
    lasting,
    run,
    run_free,
    task,
    timer,
)

CLOCK = "arch_timer"


def _clock_us(outcome: Outcome, cpu: int = 0) -> list[int]:
    """When the clock interrupted a CPU."""
    return [
        line.time_us for line in outcome.irqs(CLOCK, cpu) if line.event == "irq_handler_entry"
    ]


@pytest.mark.parametrize(("hz", "tick_us"), [(100, 10_000), (250, 4_000), (1000, 1_000)])
def test_a_busy_cpu_ticks_on_every_jiffy(hz: int, tick_us: int) -> None:
    """On multiples of 1/HZ from the start of the run.  Source: tick_sched_timer()."""
    outcome = run_free(kernel(hz=hz) + task("a", ["run 25ms"], cpu=0, start="500us"))
    expected = list(range(tick_us, 25_501, tick_us))
    assert _clock_us(outcome) == expected


def test_all_cpus_tick_at_the_same_time() -> None:
    """Each on its own clock.  Source: tick_setup_sched_timer() without skew."""
    outcome = run_free(task("a", ["run 9ms"], cpu=0) + task("b", ["run 9ms"], cpu=3, start="1ms"))
    assert _clock_us(outcome, 0) == _clock_us(outcome, 3) == [4000, 8000]


def test_an_idle_cpu_does_not_tick() -> None:
    """Its tick is stopped as it goes idle.  Source: tick_nohz_stop_tick()."""
    outcome = run_free(lasting("50ms") + task("a", ["run 9ms"], cpu=0))
    assert _clock_us(outcome) == [4000, 8000]
    stop = outcome.of("tick_stop", cpu=0)[-1]
    assert stop.text == "success=1 dependency=NONE"
    assert stop.time_us == 9000


def test_without_nohz_idle_cpus_tick_too() -> None:
    """Source: tick_nohz_enabled (`nohz=off`)."""
    outcome = run_free(lasting("13ms") + kernel(nohz=False))
    assert [_clock_us(outcome, cpu) for cpu in range(4)] == [[4000, 8000, 12_000]] * 4
    assert outcome.of("tick_stop") == []


def test_the_tick_is_not_stopped_for_less_than_a_tick() -> None:
    """A timer within the next jiffy keeps it.  Source: tick_nohz_next_event()."""
    outcome = run_free(
        task("a", ["run 4500us"], cpu=0) + hrtimer("h", expires="6ms")
    )
    assert [line.time_us for line in outcome.of("tick_stop", cpu=0)] == [6000]


def test_a_full_tick_in_order() -> None:
    """The first tick of a CPU that has switched, with a timer due: all three.

    Source: update_process_times(): run_local_timers(), rcu_sched_clock_irq(), scheduler_tick().
    """
    outcome = run(
        task("a", ["run 9ms"], cpu=0, start="7ms") + timer("t", expires="4ms"), rcu=True
    )
    raised = [line.gist for line in outcome.of("softirq_raise", cpu=0)]
    assert raised[:3] == ["TIMER", "RCU", "SCHED"]
    ran = [line.gist for line in outcome.of("softirq_entry", cpu=0)]
    assert ran[:3] == ["TIMER", "SCHED", "RCU"]


def test_a_quiet_tick_raises_nothing() -> None:
    """`kernel.rcu = false`.  Source: the scenario's contract."""
    outcome = run(task("a", ["run 30ms"], cpu=0))
    assert len(_clock_us(outcome)) == 7
    assert outcome.of("softirq_raise") == []


@pytest.mark.parametrize(
    ("release", "function"),
    [
        ("4.19", "tick_sched_timer"),
        ("6.1", "tick_sched_timer"),
        ("6.6", "tick_sched_timer"),
        ("6.12", "tick_nohz_handler"),
    ],
)
def test_the_tick_is_an_hrtimer_of_its_release(release: str, function: str) -> None:
    """Renamed in 6.8.  Source: kernel/time/tick-sched.c."""
    outcome = run(kernel(release=release) + task("a", ["run 5ms"], cpu=0))
    entry = outcome.one("hrtimer_expire_entry")
    assert (entry.gist, entry.letters[:3]) == (function, "d.h")


def test_the_tick_restarts_its_timer_inside_the_interrupt() -> None:
    """hrtimer_expire_exit, hrtimer_start (ABS), irq_handler_exit.  Source: __run_hrtimer()."""
    outcome = run(task("a", ["run 5ms"], cpu=0))
    lines = outcome.lines
    at = next(i for i, line in enumerate(lines) if line.event == "hrtimer_expire_exit")
    assert [line.event for line in lines[at : at + 3]] == [
        "hrtimer_expire_exit",
        "hrtimer_start",
        "irq_handler_exit",
    ]
    assert lines[at + 1].text.endswith("mode=ABS was_armed=0")


def test_the_tick_comes_late_where_interrupts_are_off() -> None:
    """One interrupt for all that was missed, and the next on the grid again.

    Source: tick_sched_timer(): hrtimer_forward().
    """
    steps = ["run 3ms", "local_irq_disable", "run 10ms", "local_irq_enable", "run 4ms"]
    outcome = run_free(task("a", steps, cpu=0))
    assert _clock_us(outcome) == [13_000, 16_000]


def test_jiffies_advance_by_all_that_was_missed() -> None:
    """A timer armed after a long silence counts from the real now.

    Source: tick_do_update_jiffies64(), tick_nohz_irq_enter().
    """
    outcome = run_free(timer("t") + device("d", ["1s"], ["mod_timer t 8ms"]))
    assert outcome.times("timer_expire_entry") == [1_012_000]


def test_an_idle_cpu_with_a_task_to_run_restarts_its_tick() -> None:
    """Before the switch.  Source: tick_nohz_idle_exit(), tick_nohz_restart()."""
    outcome = run(task("a", ["run 1ms"], cpu=0, start="9ms"))
    names = [line.gist for line in outcome.of("hrtimer_start", "sched_switch", cpu=0)]
    assert names[-3:-1] == ["tick_sched_timer", "swapper/0:R>a"]
    assert "mode=ABS|PINNED|HARD" in outcome.of("hrtimer_start", cpu=0)[-1].text


@pytest.mark.parametrize(("release", "order"), [("6.1", ["h", "i"]), ("6.12", ["i", "h"])])
def test_an_idle_cpu_tells_when_it_waits_and_goes_on(release: str, order: list[str]) -> None:
    """The interrupt that ends its wait is taken before it says so, or since 6.3 afterwards.

    Source: default_idle_call(), arch_cpu_idle(); seen on 6.1.176 and 6.12.95.
    """
    outcome = run_free(kernel(release=release) + device("d", ["1ms"], ["run 5us"]))
    found = outcome.of("cpu_idle", "irq_handler_entry", cpu=0)
    assert found[0].text == "state=1 cpu_id=0"
    told = ["h" if line.event == "irq_handler_entry" else "i" for line in found[1:3]]
    assert told == order
    ends = [line for line in found if line.text == "state=4294967295 cpu_id=0"]
    assert ends[0].letters == ("....." if release == "6.1" else "d....")
