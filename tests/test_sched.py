"""The laws of waking, switching and preempting: kernel/sched/core.c, kernel/sched/rt.c."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import Outcome, Steps, device, kernel, lasting, run, run_free, task

FIFO = "fifo"


def _fifo(name: str, steps: Steps, priority: int = 50, start: str = "0s") -> str:
    """A task on CPU 0 that sleeps for ever when it is done: an exit would give way at once."""
    return task(name, [*steps, "schedule"], cpu=0, policy=FIFO, priority=priority, start=start)


# -- real-time ---------------------------------------------------------------------------


def test_a_higher_priority_preempts_at_once() -> None:
    """Source: kernel/sched/rt.c: check_preempt_curr_rt."""
    outcome = run(_fifo("low", ["run 5ms"], 10) + _fifo("high", ["run 1ms"], 20, "1ms"))
    switch = outcome.one("sched_switch", "low:R>high")
    assert 1000 <= switch.time_us < 1020


def test_equals_run_in_the_order_in_which_they_became_runnable() -> None:
    """SCHED_FIFO does not share: each runs to its end.  Source: kernel/sched/rt.c."""
    outcome = run(
        _fifo("a", ["run 5ms"])
        + _fifo("c", ["run 5ms"], start="2ms")
        + _fifo("b", ["run 5ms"], start="1ms")
    )
    assert outcome.switches() == ["swapper/0:R>a", "a:S>b", "b:S>c", "c:S>swapper/0"]


def test_who_was_preempted_goes_on_before_its_equals() -> None:
    """It stays at the head of its list.  Source: kernel/sched/rt.c: put_prev_task_rt."""
    outcome = run(
        _fifo("a", ["run 5ms"])
        + _fifo("b", ["run 5ms"], start="1ms")
        + _fifo("high", ["run 1ms"], 60, "2ms")
    )
    assert outcome.switches()[1:4] == ["a:R>high", "high:S>a", "a:S>b"]


def test_sched_yield_lets_equals_go_first_and_nobody_below() -> None:
    """The task goes to its list's tail.  Source: kernel/sched/rt.c: yield_task_rt."""
    outcome = run(
        _fifo("a", ["run 3ms", "sched_yield", "run 1ms"])
        + _fifo("b", ["run 1ms"], start="1ms")
        + _fifo("low", ["run 1ms"], 10, "1ms")
    )
    assert outcome.switches()[1:] == ["a:R>b", "b:S>a", "a:S>low", "low:S>swapper/0"]


def test_sched_yield_of_the_only_task_is_no_switch() -> None:
    """It is picked again.  Source: kernel/sched/core.c: __schedule."""
    outcome = run(_fifo("a", ["run 1ms", "sched_yield", "run 1ms"]))
    assert outcome.switches() == ["swapper/0:R>a", "a:S>swapper/0"]


@pytest.mark.parametrize("hz", [100, 250, 1000])
def test_round_robin_slices_last_100_ms(hz: int) -> None:
    """Counted in ticks; the switch comes at the tick, on the way back to user mode (R).

    Source: kernel/sched/rt.c: task_tick_rt, RR_TIMESLICE.
    """
    outcome = run_free(
        kernel(hz=hz)
        + task("a", ["run 250ms"], cpu=0, policy="rr")
        + task("b", ["run 250ms"], cpu=0, policy="rr")
    )
    switches = outcome.of("sched_switch", cpu=0)
    assert [line.gist for line in switches[1:5]] == ["a:R>b", "b:R>a"] * 2
    assert [line.time_us for line in switches[1:5]] == [100_000, 200_000, 300_000, 400_000]


def test_a_round_robin_task_keeps_its_slice_over_a_preemption() -> None:
    """Ticks that somebody else ran are not its own.  Source: task_tick_rt()."""
    outcome = run_free(
        task("a", ["run 250ms"], cpu=0, policy="rr")
        + task("b", ["run 250ms"], cpu=0, policy="rr")
        + _fifo("high", ["run 20ms"], 60, "50ms")
    )
    assert outcome.times("sched_switch", "a:R>b")[0] == 120_000


def test_a_lone_round_robin_task_is_not_switched() -> None:
    """There must be an equal that waits.  Source: task_tick_rt()."""
    outcome = run_free(
        task("a", ["run 250ms", "schedule"], cpu=0, policy="rr") + _fifo("low", ["run 1ms"], 10)
    )
    assert outcome.switches()[:2] == ["swapper/0:R>a", "a:S>low"]


def test_a_fifo_task_has_no_slice() -> None:
    """Beside a round-robin one of its priority as well.  Source: task_tick_rt()."""
    outcome = run_free(_fifo("a", ["run 250ms"]) + task("b", ["run 1ms"], cpu=0, policy="rr"))
    assert outcome.switches()[1] == "a:S>b"


def test_real_time_goes_before_everything_else() -> None:
    """The classes are asked in order.  Source: kernel/sched/core.c: pick_next_task."""
    outcome = run(
        task("fair", ["run 2ms", "schedule"], cpu=0, nice=-20)
        + task("idle", ["run 2ms", "schedule"], cpu=0, policy="idle")
        + _fifo("rt", ["run 2ms"], 1)
    )
    order = [name.partition(">")[2] for name in outcome.switches()]
    assert order[-4:] == ["rt", "fair", "idle", "swapper/0"]


@pytest.mark.parametrize(
    ("keys", "prio"),
    [
        ({}, 120),
        ({"nice": -20}, 100),
        ({"nice": 19}, 139),
        ({"policy": FIFO, "priority": 50}, 49),
        ({"policy": "rr", "priority": 1}, 98),
        ({"policy": FIFO, "priority": 99}, 0),
        ({"policy": "idle"}, 120),
    ],
)
def test_priorities_as_the_trace_prints_them(keys: dict[str, str | int], prio: int) -> None:
    """120 + nice; 99 - priority.  Source: kernel/sched/core.c: __normal_prio."""
    outcome = run(task("a", ["run 1us"], cpu=0, **keys))
    assert outcome.one("sched_switch", "swapper/0:R>a").text.endswith(f"next_prio={prio}")


# -- waking ------------------------------------------------------------------------------


def test_schedule_sleeps_until_somebody_wakes_the_task() -> None:
    """TASK_INTERRUPTIBLE: S.  Source: kernel/sched/core.c: schedule, try_to_wake_up."""
    outcome = run(
        task("a", ["schedule", "trace_printk up"], cpu=0)
        + device("d", ["5ms"], ["wake_up_process a"])
    )
    assert outcome.switches()[1] == "a:S>swapper/0"
    assert 5000 < outcome.said_at("up") < 5020


def test_a_task_that_is_awake_is_not_woken() -> None:
    """No event, and the wake-up is lost.  Source: ttwu_state_match()."""
    outcome = run(
        task("a", ["run 3ms", "schedule", "trace_printk up"], cpu=0)
        + device("d", ["1ms"], ["wake_up_process a"])
    )
    assert outcome.of("sched_waking") == []
    assert outcome.said() == []


def test_a_local_wake_up_is_two_events_here() -> None:
    """sched_waking, then sched_wakeup with need_resched set.

    Source: try_to_wake_up(), ttwu_do_activate().
    """
    outcome = run(task("a", ["schedule"], cpu=0) + device("d", ["5ms"], ["wake_up_process a"]))
    assert outcome.story("sched_waking", "sched_wakeup")[-2:] == [
        "d.h.. sched_waking a",
        "dNh.. sched_wakeup a",
    ]


def test_a_wake_up_that_does_not_preempt_asks_for_nothing() -> None:
    """need_resched stays clear.  Source: check_preempt_curr()."""
    outcome = run(
        _fifo("low", ["schedule"], 10)
        + _fifo("high", ["run 3ms"], 60, "500us")
        + device("d", ["1ms"], ["wake_up_process low"])
    )
    assert outcome.of("sched_wakeup", gist="low")[-1].letters == "d.h.."


def test_a_task_that_wakes_goes_to_an_idle_cpu() -> None:
    """Where it ran if that is idle, another idle one otherwise.

    Source: kernel/sched/fair.c: select_idle_sibling.
    """
    text = (
        task("a", ["schedule", "run 1ms"], affinity=[0, 1])
        + task("busy", ["run 8ms"], cpu=0, start="1ms")
        + device("d", ["5ms"], ["wake_up_process a"], affinity=[2])
    )
    migrated = run(text).one("sched_migrate_task", "a")
    assert migrated.text.endswith("orig_cpu=0 dest_cpu=1")
    text = text.replace("[0, 1]", "[0]")
    assert run(text).of("sched_migrate_task") == []


def test_a_task_runs_only_where_it_may() -> None:
    """Source: select_task_rq(): p->cpus_ptr."""
    outcome = run(
        "".join(task(name, ["run 1ms", "msleep 1ms", "run 1ms"], affinity=[1, 3]) for name in "abc")
    )
    cpus = {line.cpu for line in outcome.lines if line.comm in ("a", "b", "c")}
    assert cpus == {1, 3}


# -- preemption --------------------------------------------------------------------------


def _woken_over(steps: Steps, preempt: str, mode: str) -> Outcome:
    """A FIFO task is woken at 1 ms over a task that runs these steps from 0 on."""
    return run_free(
        kernel(preempt=preempt)
        + task("low", steps, cpu=0, mode=mode)
        + _fifo("high", ["schedule", "run 10us"])
        + device("d", ["1ms"], ["wake_up_process high"])
    )


@pytest.mark.parametrize("preempt", ["none", "voluntary", "full"])
def test_user_code_is_preempted_on_every_kernel(preempt: str) -> None:
    """On the way back to user mode, by schedule(): prev_state R.

    Source: arch/arm64/kernel/entry-common.c: do_notify_resume.
    """
    outcome = _woken_over(["run 3ms"], preempt, "user")
    assert outcome.one("sched_switch", "low:R>high").time_us == 1000


@pytest.mark.parametrize("preempt", ["none", "voluntary"])
def test_kernel_code_is_not_preempted_without_preemption(preempt: str) -> None:
    """need_resched waits until the task gives the CPU up.

    Source: CONFIG_PREEMPTION off: arm64_preempt_schedule_irq is empty.
    """
    outcome = _woken_over(["run 3ms"], preempt, "kernel")
    assert outcome.of("sched_wakeup", gist="high")[-1].letters == "dNh.."
    switched = [line.time_us for line in outcome.of("sched_switch") if ">high" in line.gist]
    assert switched[-1] == 3000


def test_kernel_code_is_preempted_at_the_end_of_an_interrupt_with_preemption() -> None:
    """R+.  Source: arm64_preempt_schedule_irq(), preempt_schedule_irq()."""
    outcome = _woken_over(["run 3ms"], "full", "kernel")
    assert outcome.one("sched_switch", "low:R+>high").time_us == 1000


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("preempt_disable", "preempt_enable"),
        ("spin_lock L", "spin_unlock L"),
        ("spin_lock_bh L", "spin_unlock_bh L"),
        ("local_bh_disable", "local_bh_enable"),
        ("spin_lock_irqsave L", "spin_unlock_irqrestore L"),
        ("local_irq_disable", "local_irq_enable"),
    ],
)
def test_a_section_is_preempted_at_its_end(begin: str, end: str) -> None:
    """preempt_count above zero, or interrupts off, hold preemption back.

    Source: include/linux/preempt.h: preempt_enable, preempt_schedule().
    """
    outcome = _woken_over([begin, "run 2ms", end, "run 1ms"], "full", "kernel")
    assert outcome.one("sched_switch", "low:R+>high").time_us == 2000


@pytest.mark.parametrize("preempt", ["none", "voluntary"])
def test_cond_resched_gives_way_where_it_was_asked_for(preempt: str) -> None:
    """R+: a preemption that the code itself offers.  Source: __cond_resched()."""
    steps = ["run 2ms", "cond_resched", "run 1ms"]
    outcome = _woken_over(steps, preempt, "kernel")
    assert outcome.one("sched_switch", "low:R+>high").time_us == 2000


def test_cond_resched_does_nothing_when_nobody_asked() -> None:
    """Source: __cond_resched(): should_resched()."""
    outcome = run(task("a", ["run 1ms", "cond_resched", "run 1ms"], cpu=0, mode="kernel"))
    assert outcome.switches() == ["swapper/0:R>a", "a:X>swapper/0"]


def test_a_system_call_is_preempted_on_its_way_back() -> None:
    """In the middle of it only with preemption.  Source: exit_to_user_mode()."""
    steps = ["syscall 2ms", "run 1ms"]
    outcome = _woken_over(steps, "voluntary", "user")
    assert outcome.one("sched_switch", "low:R>high").time_us == 2000


def test_an_idle_cpu_switches_as_soon_as_the_interrupt_is_over() -> None:
    """R: the idle loop calls schedule().  Source: kernel/sched/idle.c: do_idle."""
    outcome = run_free(_fifo("a", ["schedule"]) + device("d", ["1ms"], ["wake_up_process a"]))
    assert outcome.times("sched_switch", "swapper/0:R>a")[-1] == 1000


def _waker(*steps: str) -> Outcome:
    """Kernel code that can be preempted wakes a FIFO task on its own CPU at 1 ms."""
    return run_free(
        kernel(preempt="full")
        + _fifo("high", ["wait_event Q"])
        + task("low", ["run 1ms", *steps, "run 8ms"], cpu=0, mode="kernel")
    )


@pytest.mark.parametrize("step", ["wake_up Q", "wake_up_process high"])
def test_who_wakes_a_higher_priority_gives_way_at_once(step: str) -> None:
    """At the preempt_enable() behind the wake-up: R+.

    Source: try_to_wake_up(): preempt_enable(); __wake_up(): spin_unlock_irqrestore().
    """
    outcome = _waker(step)
    assert outcome.one("sched_switch", "low:R+>high").time_us == 1000


def test_enabling_interrupts_is_no_preemption_point() -> None:
    """What was asked for meanwhile waits for the next interrupt's end, here the tick's.

    Source: arch_local_irq_enable(); include/linux/preempt.h.
    """
    outcome = _waker("local_irq_disable", "wake_up_process high", "local_irq_enable")
    assert outcome.one("sched_switch", "low:R+>high").time_us == 4000


# -- the flag columns --------------------------------------------------------------------


@pytest.mark.parametrize("preempt", ["none", "voluntary"])
def test_without_preempt_count_the_depth_is_a_dot(preempt: str) -> None:
    """Spin locks do not count, and nor does the idle task.

    Source: CONFIG_PREEMPT_COUNT off.
    """
    outcome = run(
        kernel(preempt=preempt)
        + task("low", ["spin_lock L", "run 1ms", "spin_unlock L"], mode="kernel", cpu=0)
        + _fifo("high", ["schedule"])
        + device("d", ["500us", "3ms"], ["wake_up_process high"])
    )
    assert {line.letters[4] for line in outcome.lines} == {"."}


def test_with_preempt_count_the_depth_is_that_of_what_was_interrupted() -> None:
    """A lock held: 1; the hard interrupt itself does not count.  Source: CONFIG_PREEMPT_COUNT."""
    outcome = run(
        kernel(preempt="full")
        + task("low", ["spin_lock L", "spin_lock M", "run 1ms"], mode="kernel", cpu=0)
        + device("d", ["500us"], [])
        + device("e", ["3ms"], [], spi=2)
    )
    over_task, over_idle = outcome.of("irq_handler_entry", cpu=0)
    assert over_task.letters == "d.h2."
    # The idle task runs with preemption disabled.
    assert over_idle.letters == "d.h1."


def test_with_preempt_count_the_locks_of_a_wake_up_show() -> None:
    """preempt_disable() and pi_lock at sched_waking, rq->lock as well at sched_wakeup.

    Source: try_to_wake_up(), ttwu_queue().
    """
    outcome = run(
        kernel(preempt="full")
        + _fifo("high", ["schedule"])
        + device("d", ["1ms"], ["wake_up_process high"])
    )
    assert outcome.of("sched_waking")[-1].letters == "d.h3."
    assert outcome.of("sched_wakeup")[-1].letters == "dNh4."
    assert outcome.of("sched_switch")[-1].letters == "d..2."


def test_before_5_3_a_wake_up_does_not_disable_preemption() -> None:
    """pi_lock alone at sched_waking, rq->lock as well at sched_wakeup.

    Source: try_to_wake_up() of 4.19; commit aacedf26fb76 (5.3) added preempt_disable().
    """
    outcome = run(
        kernel(preempt="full", release="4.19")
        + _fifo("high", ["schedule"])
        + device("d", ["1ms"], ["wake_up_process high"])
    )
    assert outcome.of("sched_waking")[-1].letters == "d.h2"
    assert outcome.of("sched_wakeup")[-1].letters == "dnh3"


# -- ends and mistakes -------------------------------------------------------------------


def test_a_real_time_task_that_ends_goes_behind_its_equals() -> None:
    """It leaves its group, which takes it off the list and puts it at its tail: R+.

    Source: do_exit(), sched_autogroup_exit_task(), sched_move_task(); __enqueue_rt_entity().
    """
    outcome = run(
        task("a", ["run 1ms"], cpu=0, policy=FIFO) + _fifo("b", ["run 1ms"])
    )
    assert outcome.switches()[1:3] == ["a:R+>b", "b:S>a"]


def test_a_task_ends_in_state_x() -> None:
    """sched_process_exit, the rest of its exit, the last switch.  Source: do_exit()."""
    outcome = run(task("a", ["run 1ms"], cpu=0))
    exit_ = outcome.one("sched_process_exit")
    last = outcome.one("sched_switch", "a:X>swapper/0")
    assert last.time_us - exit_.time_us >= 16


def test_the_switch_itself_never_shows_need_resched() -> None:
    """It has been cleared.  Source: __schedule(): clear_tsk_need_resched. 37."""
    outcome = run(
        _fifo("low", ["run 5ms"], 10) + _fifo("high", ["run 1ms", "msleep 1ms"], 20, "1ms")
    )
    assert {line.letters[1] for line in outcome.of("sched_switch")} == {"."}


def test_sleeping_in_an_interrupt_is_reported() -> None:
    """comm/pid/preempt_count of whom it interrupted, and the kernel goes on.

    Source: __schedule_bug().
    """
    outcome = run(lasting("20ms") + device("d", ["1ms"], ["msleep 1ms"]))
    assert outcome.dmesg[0] == "BUG: scheduling while atomic: swapper/0/0/0x00010000"


def test_the_report_counts_the_preemption_that_schedule_disables() -> None:
    """The idle task's 1 and schedule()'s 1.  Source: schedule_idle(), __schedule_bug()."""
    outcome = run(kernel(preempt="full") + lasting("20ms") + device("d", ["1ms"], ["msleep 1ms"]))
    assert outcome.dmesg[0] == "BUG: scheduling while atomic: swapper/0/0/0x00010002"


def test_sleeping_with_bottom_halves_off_is_reported() -> None:
    """0x200 is atomic on every kernel.  Source: in_atomic_preempt_off(), __schedule_bug()."""
    outcome = run(
        lasting("20ms") + task("a", ["local_bh_disable", "msleep 1ms", "local_bh_enable"], pid=77)
    )
    assert outcome.dmesg[0] == "BUG: scheduling while atomic: a/77/0x00000200"


@pytest.mark.parametrize("begin", ["spin_lock L", "preempt_disable"])
def test_sleeping_with_preemption_off_is_reported_where_it_is_counted(begin: str) -> None:
    """schedule() has disabled preemption once more when it prints.

    Source: schedule(), __schedule_bug(), in_atomic_preempt_off().
    """
    text = lasting("20ms") + task("a", [begin, "msleep 1ms"], pid=77)
    assert run(kernel(preempt="voluntary") + text).dmesg == []
    assert run(kernel(preempt="full") + text).dmesg[0] == (
        "BUG: scheduling while atomic: a/77/0x00000002"
    )


def test_yielding_in_an_interrupt_is_reported_too() -> None:
    """Every schedule() asks.  Source: __schedule(): schedule_debug()."""
    outcome = run(lasting("20ms") + device("d", ["1ms"], ["sched_yield"]))
    assert "BUG: scheduling while atomic: swapper/0/0/0x00010000" in outcome.dmesg
