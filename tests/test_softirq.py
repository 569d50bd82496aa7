"""The laws of raising and running softirqs: kernel/softirq.c."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import device, kernel, lasting, run, run_free, table, task

RAISES_BLOCK = ["raise_softirq BLOCK"]
OLD_RELEASES = ("4.19", "5.10", "6.1")
NEW_RELEASES = ("6.6", "6.12")


# -- raising -----------------------------------------------------------------------------


def test_a_raise_from_a_plain_task_wakes_ksoftirqd() -> None:
    """Outside of interrupts the raise itself wakes the thread, interrupts still off.

    Source: raise_softirq_irqoff().
    """
    outcome = run(task("a", ["syscall 1us", *RAISES_BLOCK, "syscall 9us"], cpu=0))
    assert outcome.story("softirq_raise", "sched_waking", cpu=0) == [
        "d.... softirq_raise BLOCK",
        "d.... sched_waking ksoftirqd/0",
    ]
    assert outcome.one("softirq_entry").comm == "ksoftirqd/0"


def test_a_raise_in_a_hard_interrupt_wakes_nobody() -> None:
    """The end of the interrupt runs what it raised, in whose context it came.

    Source: raise_softirq_irqoff(), __irq_exit_rcu().
    """
    text = task("a", ["run 5ms"], cpu=0) + device("d", ["2ms"], RAISES_BLOCK)
    outcome = run(text)
    assert outcome.of("sched_waking", cpu=0) == []
    assert outcome.one("softirq_raise").letters == "d.h.."
    entry = outcome.one("softirq_entry")
    assert (entry.comm, entry.letters) == ("a", "..s..")


def test_a_raise_with_bottom_halves_off_runs_where_they_come_on() -> None:
    """It wakes nobody; local_bh_enable() runs it with one level of preemption held.

    Source: raise_softirq_irqoff(), __local_bh_enable_ip().
    """
    steps = ["local_bh_disable", *RAISES_BLOCK, "run 5us", "local_bh_enable", "syscall 9us"]
    outcome = run(task("a", steps, cpu=0))
    assert outcome.story("softirq_raise", "softirq_entry", "softirq_exit", cpu=0) == [
        "D.... softirq_raise BLOCK",
        "..s1. softirq_entry BLOCK",
        "..s1. softirq_exit BLOCK",
    ]
    assert outcome.of("sched_waking", gist="ksoftirqd/0") == []


def test_softirqs_wait_for_the_outermost_local_bh_enable() -> None:
    """local_bh_disable() nests.  Source: __local_bh_enable_ip(), in_interrupt()."""
    steps = [
        *("local_bh_disable", "local_bh_disable", *RAISES_BLOCK, "local_bh_enable"),
        *("trace_printk inner", "local_bh_enable", "trace_printk outer"),
    ]
    outcome = run(task("a", steps, cpu=0))
    assert outcome.gists("print", "softirq_entry") == ["inner", "BLOCK", "outer"]


def test_every_raise_is_an_event_and_one_run_serves_them() -> None:
    """A bit that is set already is raised again.  Source: __raise_softirq_irqoff()."""
    outcome = run(device("d", ["1ms"], [*RAISES_BLOCK, *RAISES_BLOCK]))
    assert outcome.gists("softirq_raise") == ["BLOCK", "BLOCK"]
    assert outcome.gists("softirq_entry") == ["BLOCK"]


def test_a_raise_from_a_worker_or_interrupt_thread_wakes_ksoftirqd() -> None:
    """They are tasks like any other: bottom halves are on.

    Source: raise_softirq_irqoff(), in_interrupt().
    """
    outcome = run(device("d", ["1ms"], thread=RAISES_BLOCK, flags=["IRQF_ONESHOT"]))
    assert outcome.one("sched_waking", "ksoftirqd/0").comm.startswith("irq/")


def test_a_raise_with_interrupts_off_switches_only_when_they_are_on() -> None:
    """ksoftirqd is woken inside the section and runs after it.

    Source: raise_softirq_irqoff(), wake_up_process().
    """
    steps = ["local_irq_disable", *RAISES_BLOCK, "run 50us", "local_irq_enable", "run 1ms"]
    outcome = run_free(task("a", steps, cpu=0, mode="kernel"))
    assert outcome.one("sched_waking", "ksoftirqd/0").letters == "d...."
    assert outcome.one("softirq_entry").time_us >= 50


def test_a_softirq_runs_on_the_cpu_that_raised_it() -> None:
    """The pending word belongs to the CPU.  Source: or_softirq_pending()."""
    outcome = run(device("d", ["1ms"], RAISES_BLOCK, affinity=[2]))
    assert outcome.one("softirq_entry").cpu == 2
    assert outcome.counts("/proc/softirqs", "BLOCK") == [0, 0, 1, 0]


def test_softirqs_are_counted_by_their_runs() -> None:
    """/proc/softirqs counts executions, not raises.  Source: __do_softirq(): kstat."""
    outcome = run(device("d", ["1ms", "2ms"], RAISES_BLOCK * 3))
    assert len(outcome.of("softirq_raise")) == 6
    assert outcome.counts("/proc/softirqs", "BLOCK") == [2, 0, 0, 0]


# -- passes ------------------------------------------------------------------------------


def test_vectors_run_in_ascending_order() -> None:
    """The snapshot is served from bit 0 up.  Source: __do_softirq(): ffs()."""
    names = ["RCU", "HRTIMER", "SCHED", "TASKLET", "IRQ_POLL", "BLOCK", "NET_RX", "NET_TX"]
    names += ["TIMER", "HI"]
    outcome = run(device("d", ["1ms"], [f"raise_softirq {name}" for name in names]))
    assert outcome.gists("softirq_raise") == names
    assert outcome.gists("softirq_entry") == names[::-1]


@pytest.mark.parametrize("raised", ["BLOCK", "HI"])
def test_what_is_raised_meanwhile_waits_for_the_next_pass(raised: str) -> None:
    """A pass serves its snapshot, whatever is raised, above or below.

    Source: __do_softirq(): pending is taken once and cleared.
    """
    outcome = run(
        table("softirq", NET_TX=[f"raise_softirq {raised}"])
        + device("d", ["1ms"], ["raise_softirq NET_TX", "raise_softirq IRQ_POLL"])
    )
    assert outcome.gists("softirq_entry") == ["NET_TX", "IRQ_POLL", raised]


def test_a_vector_that_raises_itself_runs_again_in_the_next_pass() -> None:
    """It is no part of this pass any more.  Source: __do_softirq(): restart."""
    outcome = run(
        table("softirq", NET_TX=[{"chance": 0.5, "do": ["raise_softirq NET_TX"]}])
        + device("d", ["1ms"], ["raise_softirq NET_TX", "raise_softirq IRQ_POLL"])
    )
    entries = outcome.gists("softirq_entry")
    assert entries[:2] == ["NET_TX", "IRQ_POLL"]
    assert set(entries[2:]) <= {"NET_TX"}


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_the_number_of_passes_is_limited(limit: int) -> None:
    """The first and MAX_SOFTIRQ_RESTART - 1 more, then ksoftirqd is woken, still as `s`.

    Source: __do_softirq(): max_restart.
    """
    outcome = run(
        lasting("3ms")
        + kernel(softirq_restart=limit)
        + table("softirq", BLOCK=RAISES_BLOCK)
        + device("d", ["1ms"], RAISES_BLOCK)
    )
    entries = outcome.of("softirq_entry")
    assert [entry.comm for entry in entries].index("ksoftirqd/0") == limit
    assert outcome.one("sched_waking").letters == "d.s.."
    assert outcome.one("sched_waking").time_us == outcome.of("softirq_exit")[limit - 1].time_us


@pytest.mark.parametrize(
    ("hz", "start_us", "pass_us", "passes"),
    [(250, 1000, 700, 5), (250, 3900, 700, 1), (100, 1000, 2000, 5), (1000, 500, 400, 4)],
)
def test_the_time_limit_is_counted_in_jiffies(
    hz: int, start_us: int, pass_us: int, passes: int
) -> None:
    """2 ms are 2 jiffies at HZ=1000 and 1 at 250 and 100: passes go on up to that tick.

    Source: __do_softirq(): MAX_SOFTIRQ_TIME, time_before(jiffies, end).
    """
    outcome = run_free(
        lasting("20ms")
        + kernel(hz=hz)
        + table("softirq", BLOCK=[f"run {pass_us}us", *RAISES_BLOCK])
        + task("a", ["run 30ms"], cpu=0)
        + device("d", [f"{start_us}us"], RAISES_BLOCK)
    )
    woken_us = outcome.times("sched_waking", "ksoftirqd/0")[0]
    assert woken_us == start_us + passes * pass_us


def test_the_time_limit_does_not_pass_where_nobody_ticks() -> None:
    """jiffies stand still while all CPUs idle with their ticks stopped: ten passes of 4 ms.

    Source: __do_softirq(); kernel/time/tick-sched.c: tick_nohz_stop_tick.
    """
    outcome = run_free(
        lasting("60ms")
        + table("softirq", BLOCK=["run 4ms", *RAISES_BLOCK])
        + device("d", ["1ms"], RAISES_BLOCK)
    )
    assert outcome.times("sched_waking", "ksoftirqd/0")[0] == 1000 + 10 * 4000


def test_softirq_time_sets_the_time_limit() -> None:
    """`kernel.softirq_time` is MAX_SOFTIRQ_TIME, in whole jiffies rounded up.

    Source: __do_softirq(): msecs_to_jiffies(2).
    """
    outcome = run_free(
        lasting("20ms")
        + kernel(hz=1000, softirq_time="5ms")
        + table("softirq", BLOCK=["run 900us", *RAISES_BLOCK])
        + task("a", ["run 30ms"], cpu=0)
        + device("d", ["500us"], RAISES_BLOCK)
    )
    assert outcome.times("sched_waking", "ksoftirqd/0")[0] == 500 + 6 * 900 - 900


def test_need_resched_ends_the_loop_after_its_pass() -> None:
    """The pass is completed; what it left goes to ksoftirqd although there is time.

    Source: __do_softirq(): !need_resched().
    """
    outcome = run(
        table("softirq", NET_TX=["wake_up_process f", *RAISES_BLOCK])
        + task("f", ["schedule", "run 10us"], policy="fifo", cpu=0)
        + task("u", ["run 5ms"], cpu=0)
        + device("d", ["1ms"], ["raise_softirq NET_TX", "raise_softirq IRQ_POLL"])
    )
    story = outcome.story("softirq_entry", "sched_waking", "sched_switch", cpu=0)
    begin = story.index("..s.. softirq_entry NET_TX")
    assert story[begin : begin + 5] == [
        "..s.. softirq_entry NET_TX",
        "d.s.. sched_waking f",
        ".Ns.. softirq_entry IRQ_POLL",
        "dNs.. sched_waking ksoftirqd/0",
        "d.... sched_switch u:R>f",
    ]


# -- where interrupts land ---------------------------------------------------------------


def test_an_interrupt_in_a_softirq_starts_none() -> None:
    """in_interrupt() is still true at its end; what it raised runs in the next pass.

    Source: __irq_exit_rcu().
    """
    outcome = run(
        table("softirq", BLOCK=["run 100us", "trace_printk done"])
        + device("a", ["1ms"], RAISES_BLOCK, spi=1)
        + device("b", ["1050us"], ["raise_softirq NET_TX"], spi=2)
    )
    story = outcome.story("irq_handler_entry", "irq_handler_exit", "softirq_entry", "print")
    assert story[3:] == [
        "d.H.. irq_handler_entry b",
        "d.H.. irq_handler_exit handled",
        "..s.. print done",
        "..s.. softirq_entry NET_TX",
    ]


def test_an_interrupt_between_two_vectors_shows_that_softirqs_are_served() -> None:
    """Interrupts come on before the first vector's entry: `H` with no vector open.

    Source: __do_softirq(): local_irq_enable() precedes the loop.
    """
    outcome = run(
        table("cost", softirq_entry="10us")
        + device("a", ["1ms"], RAISES_BLOCK, spi=1)
        + device("b", ["1008us"], ["raise_softirq HI"], spi=2)
    )
    assert outcome.story("irq_handler_entry", "softirq_entry") == [
        "d.h.. irq_handler_entry a",
        "d.H.. irq_handler_entry b",
        "..s.. softirq_entry BLOCK",
        "..s.. softirq_entry HI",
    ]


def test_an_interrupt_where_bottom_halves_are_off_leaves_softirqs_to_the_section() -> None:
    """They run in local_bh_enable(), not at the interrupt's end.

    Source: __irq_exit_rcu(): in_interrupt().
    """
    outcome = run(
        device("d", ["1ms"], RAISES_BLOCK)
        + task("a", ["local_bh_disable", "run 2ms", "trace_printk end", "local_bh_enable"], cpu=0)
    )
    assert outcome.story("irq_handler_entry", "print", "softirq_entry") == [
        "D.h.. irq_handler_entry d",
        "b.... print end",
        "..s1. softirq_entry BLOCK",
    ]


def test_softirqs_run_before_the_switch_that_the_interrupt_asked_for() -> None:
    """irq_exit() comes before the way back looks at need_resched.

    Source: __irq_exit_rcu(), arch/arm64/kernel/entry-common.c: el0_interrupt.
    """
    outcome = run(
        task("u", ["run 5ms"], cpu=0)
        + task("f", ["schedule", "run 1us"], cpu=0, policy="fifo")
        + device("d", ["1ms"], ["wake_up_process f", *RAISES_BLOCK])
    )
    story = outcome.story("irq_handler_exit", "softirq_entry", "sched_switch", cpu=0)
    begin = story.index("dNh.. irq_handler_exit handled")
    assert story[begin + 1 : begin + 3] == [
        ".Ns.. softirq_entry BLOCK",
        "d.... sched_switch u:R>f",
    ]


def test_softirqs_leave_interrupts_as_they_were() -> None:
    """Off, where bottom halves are enabled in a section without interrupts.

    Source: do_softirq(): local_irq_save(), local_irq_restore().
    """
    outcome = run(
        task(
            "a",
            [
                *("local_irq_disable", "local_bh_disable", *RAISES_BLOCK, "local_bh_enable"),
                *("trace_printk still off", "local_irq_enable"),
            ],
            cpu=0,
        )
    )
    assert outcome.gists("softirq_entry", "print") == ["BLOCK", "still off"]
    assert outcome.letters("still off") == "d...."


def test_enabling_bottom_halves_in_a_hard_interrupt_warns_once() -> None:
    """A WARN_ON_ONCE(): without words of its own.  Source: __local_bh_enable_ip()."""
    outcome = run(device("d", ["1ms", "2ms"], ["local_bh_disable", "local_bh_enable"]))
    warnings = [text for text in outcome.dmesg if text.startswith("WARNING: ")]
    assert len(warnings) == 1
    assert "kernel/softirq.c" in warnings[0]


# -- ksoftirqd ---------------------------------------------------------------------------


def _waiting_ksoftirqd(release: str, *handler: str) -> list[str]:
    """ksoftirqd waits behind a FIFO task, and at 1 ms an interrupt comes: what runs."""
    outcome = run(
        kernel(release=release)
        + task("f", ["raise_softirq NET_TX", "run 5ms"], cpu=0, policy="fifo")
        + device("d", ["1ms"], list(handler))
    )
    platform = ("TIMER", "SCHED", "RCU")
    return [
        f"{line.comm} {line.gist}"
        for line in outcome.of("softirq_entry", cpu=0)
        if line.gist not in platform
    ]


@pytest.mark.parametrize("release", OLD_RELEASES)
def test_softirqs_wait_for_a_runnable_ksoftirqd(release: str) -> None:
    """Up to 6.4 irq_exit() leaves all vectors to a ksoftirqd that is on its way.

    Source: ksoftirqd_running() of 6.1.
    """
    ran = _waiting_ksoftirqd(release, "raise_softirq BLOCK")
    assert ran == ["ksoftirqd/0 NET_TX", "ksoftirqd/0 BLOCK"]


@pytest.mark.parametrize("release", NEW_RELEASES)
def test_softirqs_do_not_wait_for_ksoftirqd_since_6_5(release: str) -> None:
    """Every interrupt's end runs all that is pending.

    Source: commit d15121be7485.
    """
    ran = _waiting_ksoftirqd(release, "raise_softirq BLOCK")
    assert ran == ["f NET_TX", "f BLOCK"]


@pytest.mark.parametrize("vector", ["HI", "TASKLET"])
@pytest.mark.parametrize("release", OLD_RELEASES)
def test_hi_and_tasklet_do_not_wait_and_take_the_others_along(release: str, vector: str) -> None:
    """With HI or TASKLET pending everything runs at once, also what waits for ksoftirqd.

    Source: ksoftirqd_running(): SOFTIRQ_NOW_MASK.
    """
    ran = _waiting_ksoftirqd(release, "raise_softirq BLOCK", f"raise_softirq {vector}")
    expected = ["NET_TX", "BLOCK"]
    expected.insert(0 if vector == "HI" else 2, vector)
    assert ran == [f"f {name}" for name in expected]


def test_local_bh_enable_leaves_softirqs_to_a_runnable_ksoftirqd_too() -> None:
    """do_softirq() asks the same question.  Source: do_softirq() of 6.1."""
    outcome = run_free(
        task(
            "f",
            [
                *("raise_softirq NET_TX", "local_bh_disable", *RAISES_BLOCK),
                *("local_bh_enable", "trace_printk on", "run 1ms"),
            ],
            cpu=0,
            policy="fifo",
        )
    )
    assert outcome.gists("print", "softirq_entry") == ["on", "NET_TX", "BLOCK"]


def test_ksoftirqd_that_finds_nothing_goes_back_to_sleep() -> None:
    """What it was woken for has run elsewhere: in, out (S), no vector.

    Source: run_ksoftirqd(); kernel/smpboot.c: smpboot_thread_fn.
    """
    steps = [*RAISES_BLOCK, "local_bh_disable", "local_bh_enable", "syscall 9us"]
    outcome = run(kernel(release="6.12") + task("a", steps, cpu=0))
    assert outcome.one("softirq_entry").comm == "a"
    assert any(each.startswith("ksoftirqd/0:S>") for each in outcome.switches())


def test_each_turn_of_ksoftirqd_has_limits_of_its_own_and_no_event() -> None:
    """At its limits it wakes itself, which is none: it runs.  Others get the CPU in between.

    Source: run_ksoftirqd(), wakeup_softirqd(), cond_resched().
    """
    outcome = run(
        lasting("40ms")
        + table("softirq", BLOCK=["run 100us", *RAISES_BLOCK])
        + device("d", ["1ms"], RAISES_BLOCK)
        + task("f", ["schedule", "run 10us"], cpu=0, policy="fifo")
        + timer_waking_f()
    )
    assert outcome.times("sched_waking", "ksoftirqd/0")[1:] == []
    assert "ksoftirqd/0:R+>f" in outcome.switches()


def timer_waking_f() -> str:
    """An interrupt at 20 ms that wakes the task f."""
    return device("w", ["20ms"], ["wake_up_process f"], spi=2)


def test_ksoftirqd_is_an_ordinary_task() -> None:
    """SCHED_OTHER, nice 0, bound to its CPU.  Source: kernel/softirq.c: softirq_threads."""
    outcome = run(task("a", RAISES_BLOCK, cpu=3))
    assert outcome.one("sched_waking", "ksoftirqd/3").text.endswith("prio=120 target_cpu=003")


def test_forced_threading_leaves_softirqs_of_interrupts_to_ksoftirqd() -> None:
    """With threadirqs an interrupt's softirqs are never run at its end.

    Source: invoke_softirq(): force_irqthreads().
    """
    outcome = run(
        kernel(threadirqs=True)
        + device("d", ["1ms"], RAISES_BLOCK, flags=["IRQF_NO_THREAD"])
        + task("a", ["run 3ms"], cpu=0)
    )
    assert outcome.one("sched_waking", "ksoftirqd/0").letters == "d...."
    assert outcome.one("softirq_entry", "BLOCK").comm == "ksoftirqd/0"


def test_an_idle_machine_with_forced_threads_comes_to_rest() -> None:
    """What its last ticks raise is done by ksoftirqd, and asks for nothing more.

    Source: rcu_pending(), tick_nohz_stop_tick(); the run ends by itself.
    """
    outcome = run(kernel(threadirqs=True) + device("d", ["1ms"], RAISES_BLOCK), rcu=True)
    assert outcome.lines[-1].time_us < 100_000


# -- what goes wrong ---------------------------------------------------------------------


def test_a_vector_that_leaves_preemption_off_is_reported_and_put_right() -> None:
    """preempt_count is compared around each action, and restored.

    Source: __do_softirq(): "huh, entered softirq".
    """
    outcome = run(
        kernel(preempt="full")
        + table("softirq", BLOCK=["preempt_disable"])
        + device("d", ["1ms", "2ms"], RAISES_BLOCK)
    )
    huh = [line for line in outcome.dmesg if line.startswith("softirq: huh, entered softirq 4 ")]
    assert len(huh) == 2
    assert all(
        line.endswith(" with preempt_count 00000101, exited with 00000102?") for line in huh
    )


def test_a_line_that_stays_asserted_keeps_the_first_vector_waiting() -> None:
    """The storm goes on where interrupts come on: `h` once, then `H`, and no softirq_entry.

    Source: __do_softirq(): local_irq_enable() precedes the loop.
    """
    outcome = run(lasting("2ms") + device("d", ["1ms"], RAISES_BLOCK, ack="never"))
    letters = [line.letters for line in outcome.of("irq_handler_entry")]
    assert letters[0] == "d.h.."
    assert len(letters) > 100
    assert set(letters[1:]) == {"d.H.."}
    assert outcome.of("softirq_entry") == []
