"""The laws of interrupt threads: kernel/irq/manage.c, kernel/irq/handle.c."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import Outcome, Toml, device, kernel, lasting, run, run_free, task

ONESHOT: Toml = ["IRQF_ONESHOT"]
DEVICE_EVENTS = ("irq_handler_entry", "irq_handler_exit", "sched_waking", "sched_switch", "print")


def _waking(outcome: Outcome, name: str = "irq/13-d") -> list[int]:
    return outcome.times("sched_waking", name)


# -- waking ------------------------------------------------------------------------------


def test_the_thread_is_woken_after_the_handlers_exit() -> None:
    """Still in the hard interrupt, and before the way out.

    Source: __handle_irq_event_percpu(): trace_irq_handler_exit precedes __irq_wake_thread.
    """
    outcome = run(device("d", ["1ms"], ["run 1us"], thread=["run 5us"]))
    assert outcome.story(*DEVICE_EVENTS, cpu=0) == [
        "d.h.. irq_handler_entry d",
        "d.h.. irq_handler_exit handled",
        "d.h.. sched_waking irq/13-d",
        "d.... sched_switch swapper/0:R>irq/13-d",
        "d.... sched_switch irq/13-d:S>swapper/0",
    ]


def test_wake_thread_counts_as_handled() -> None:
    """`ret=handled` for every value but IRQ_NONE.  Source: TP_printk of irq_handler_exit."""
    outcome = run(device("d", ["1ms"], ["return IRQ_WAKE_THREAD"], thread=[]))
    assert outcome.gists("irq_handler_exit") == ["handled"]


def test_a_thread_without_a_handler_has_the_default_primary() -> None:
    """It does nothing but wake; the pair is there.  Source: irq_default_primary_handler()."""
    outcome = run(device("d", ["1ms"], thread=["trace_printk thread"], flags=ONESHOT))
    assert outcome.gists("irq_handler_entry", "irq_handler_exit", "print") == [
        "d", "handled", "thread",
    ]  # fmt: skip


def test_a_handler_that_does_not_ask_for_its_thread_gets_none() -> None:
    """IRQ_HANDLED wakes nobody.  Source: __handle_irq_event_percpu()."""
    outcome = run(device("d", ["1ms"], ["return IRQ_HANDLED"], thread=["trace_printk no"]))
    assert outcome.said() == []


def test_wake_thread_without_a_thread_warns_once() -> None:
    """Once for each action.  Source: warn_no_thread(): IRQTF_WARNED."""
    outcome = run(device("d", ["1ms", "2ms", "3ms"], ["return IRQ_WAKE_THREAD"]))
    assert outcome.dmesg == [
        "IRQ 13 device d returned IRQ_WAKE_THREAD but no thread function available."
    ]
    assert outcome.gists("irq_handler_exit") == ["handled"] * 3


def test_two_actions_without_threads_warn_each() -> None:
    """Source: warn_no_thread(): the bit is the action's."""
    shared: Toml = ["IRQF_SHARED"]
    outcome = run(
        device("a", ["1ms", "2ms"], ["return IRQ_WAKE_THREAD"], flags=shared)
        + device("b", ["1ms", "2ms"], ["return IRQ_WAKE_THREAD"], flags=shared)
    )
    assert [text.split()[3] for text in outcome.dmesg] == ["a", "b"]


# -- what it is --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "comm"),
    [("mmc1", "irq/13-mmc1"), ("rtc-pl031", "irq/13-rtc-pl03"), ("3f00b880.mailbox", None)],
)
def test_a_thread_is_named_after_its_line_and_device(name: str, comm: str | None) -> None:
    """15 characters.  Source: setup_irq_thread(): kthread_create("irq/%d-%s")."""
    outcome = run(device(name, ["1ms"], thread=[], flags=ONESHOT))
    assert outcome.one("sched_waking").gist == (comm or "irq/13-3f00b880")


def test_a_thread_is_sched_fifo_50() -> None:
    """prio=49.  Source: irq_thread(): sched_set_fifo()."""
    outcome = run(device("d", ["1ms"], thread=[], flags=ONESHOT))
    assert " prio=49 " in outcome.one("sched_waking").text


def test_a_thread_runs_where_its_line_is_served() -> None:
    """Source: setup_irq_thread(): IRQTF_AFFINITY, irq_thread_check_affinity()."""
    outcome = run(device("d", ["1ms"], thread=["trace_printk t"], flags=ONESHOT, affinity=[2]))
    assert outcome.one("print").cpu == 2


def test_a_thread_is_in_process_context() -> None:
    """Interrupts and bottom halves on; it may sleep.  Source: irq_thread_fn()."""
    outcome = run(
        device("d", ["1ms"], thread=["trace_printk t", "msleep 1ms"], flags=ONESHOT)
    )
    assert outcome.letters("t") == "....."
    assert "irq/13-d:D>swapper/0" in outcome.switches()
    assert outcome.dmesg == []


def test_a_thread_preempts_a_task_at_the_end_of_the_interrupt() -> None:
    """Real-time before fair.  Source: check_preempt_curr()."""
    outcome = run_free(
        task("u", ["run 3ms"], cpu=0) + device("d", ["1ms"], thread=["run 5us"], flags=ONESHOT)
    )
    assert outcome.one("sched_switch", "u:R>irq/13-d").time_us == 1000


# -- once more ---------------------------------------------------------------------------


def test_interrupts_during_the_thread_make_one_more_round() -> None:
    """RUNTHREAD is one bit, and a running thread is not woken: no event.

    Source: __irq_wake_thread(): test_and_set_bit().
    """
    outcome = run_free(
        device(
            "d",
            ["1ms", "1100us", "1200us", "1300us"],
            ["run 1us"],
            thread=["trace_printk round", "run 1ms"],
            trigger="edge",
        )
    )
    assert len(outcome.irqs("d")) == 8
    assert outcome.said() == ["round", "round"]
    assert _waking(outcome) == [1001]


def test_each_interrupt_of_an_idle_thread_wakes_it() -> None:
    """It went to sleep in between.  Source: irq_wait_for_interrupt()."""
    outcome = run(device("d", ["1ms", "2ms"], ["run 1us"], thread=["run 5us"]))
    assert len(_waking(outcome)) == 2


def test_a_thread_that_sleeps_in_its_function_is_not_run_again_for_it() -> None:
    """A new interrupt sets RUNTHREAD and wakes it up early.

    Source: __irq_wake_thread(): wake_up_process() knows nothing of why it sleeps.
    """
    outcome = run_free(
        device(
            "d",
            ["1ms", "3ms"],
            ["run 1us"],
            thread=["trace_printk in", "schedule", "trace_printk out"],
            trigger="edge",
        )
    )
    assert outcome.said() == ["in", "out", "in"]
    assert outcome.said_at("out") == 3001


# -- one-shot lines ----------------------------------------------------------------------


def test_a_oneshot_line_is_masked_until_its_thread_is_done() -> None:
    """A level that stays asserted fires once per round, and not in between.

    Source: handle_fasteoi_irq(): IRQS_ONESHOT; irq_finalize_oneshot().
    """
    outcome = run_free(
        lasting("3500us")
        + device(
            "d", ["1ms"], thread=["run 1ms", "trace_printk done"], flags=ONESHOT, ack="never"
        )
    )
    entries = outcome.times("irq_handler_entry")
    assert entries == [1000, 2000, 3000]


def test_a_line_that_is_not_oneshot_storms_while_the_thread_waits() -> None:
    """The handler leaves the level asserted, and the line is unmasked at its end.

    Source: handle_fasteoi_irq(); why a NULL handler needs IRQF_ONESHOT.
    """
    outcome = run(
        lasting("2ms")
        + device("d", ["1ms"], ["return IRQ_WAKE_THREAD"], thread=["ack"], ack="explicit")
    )
    assert len(outcome.of("irq_handler_entry")) > 100
    assert outcome.of("sched_switch") == []


def test_a_oneshot_edge_fires_at_the_unmask_in_the_threads_context() -> None:
    """And the thread goes round again without being woken.

    Source: irq_finalize_oneshot(): unmask_threaded_irq().
    """
    outcome = run(
        device(
            "d",
            ["1ms", "1200us"],
            ["run 1us"],
            thread=["run 500us"],
            flags=ONESHOT,
            trigger="edge",
        )
    )
    first, second = outcome.of("irq_handler_entry")
    assert (first.comm, second.comm) == ("<idle>", "irq/13-d")
    assert second.letters == "d.h.."
    assert len(_waking(outcome)) == 1


def test_a_shared_oneshot_line_waits_for_all_its_threads() -> None:
    """threads_oneshot has a bit for each; the last one unmasks.

    Source: irq_finalize_oneshot(), __setup_irq(): thread_mask.
    """
    shared: Toml = ["IRQF_SHARED", "IRQF_ONESHOT"]
    outcome = run_free(
        device("a", ["1ms", "1600us"], thread=["run 500us"], flags=shared)
        + device("b", ["1ms"], thread=["run 700us"], flags=shared)
    )
    assert outcome.times("irq_handler_entry", "a") == [1000, 2200]


def test_a_oneshot_line_whose_thread_was_not_asked_is_unmasked_at_once() -> None:
    """threads_oneshot is empty.  Source: cond_unmask_eoi_irq()."""
    outcome = run_free(
        device("d", ["1ms", "2ms"], ["return IRQ_HANDLED"], thread=[], flags=ONESHOT)
    )
    assert outcome.times("irq_handler_entry") == [1000, 2000]


# -- forced threading --------------------------------------------------------------------


def _forced(handler: list[str], **keys: Toml) -> Outcome:
    return run(kernel(threadirqs=True) + device("d", ["1ms"], handler, **keys))


def test_with_threadirqs_handlers_run_in_threads() -> None:
    """The hard part is the default primary.  Source: irq_setup_forced_threading()."""
    outcome = _forced(["trace_printk handler"])
    assert outcome.gists("irq_handler_entry", "irq_handler_exit") == ["d", "handled"]
    assert outcome.one("print").comm == "irq/13-d"


def test_a_forced_handler_runs_with_bottom_halves_and_interrupts_off() -> None:
    """Source: irq_forced_thread_fn() since 5.12."""
    assert _forced(["trace_printk handler"]).letters("handler") == "D...."


def test_softirqs_of_a_forced_handler_run_at_its_end() -> None:
    """In the thread, at its local_bh_enable(): nobody is woken.

    Source: irq_forced_thread_fn(): local_bh_enable().
    """
    outcome = _forced(["raise_softirq BLOCK"])
    assert outcome.story("softirq_raise", "softirq_entry") == [
        "D.... softirq_raise BLOCK",
        "..s1. softirq_entry BLOCK",
    ]
    assert outcome.one("softirq_entry").comm == "irq/13-d"


@pytest.mark.parametrize("flag", ["IRQF_NO_THREAD", "IRQF_PERCPU", "IRQF_ONESHOT"])
def test_some_requests_are_not_forced(flag: str) -> None:
    """Source: irq_setup_forced_threading()."""
    outcome = _forced(["trace_printk handler"], flags=[flag])
    assert outcome.letters("handler") == "d.h.."


def test_the_clock_and_ipis_are_not_forced() -> None:
    """Per-CPU interrupts.  Source: irq_setup_forced_threading(): IRQF_PERCPU."""
    outcome = run_free(kernel(threadirqs=True) + task("a", ["run 9ms"], cpu=0))
    assert all("h" in line.letters for line in outcome.irqs("arch_timer"))


def test_a_handler_with_a_thread_gets_two() -> None:
    """The first wakes the second, whose name has an s, and sleeps.

    Source: irq_setup_forced_threading(): secondary; irq_wake_secondary().
    """
    outcome = _forced(["trace_printk handler"], thread=["trace_printk thread"])
    assert [(line.comm, line.gist) for line in outcome.of("print")] == [
        ("irq/13-d", "handler"),
        ("irq/13-s-d", "thread"),
    ]
    waker = outcome.one("sched_waking", "irq/13-s-d")
    assert waker.comm == "irq/13-d"
    assert outcome.letters("thread") == "....."


def test_a_forced_level_line_is_masked_while_its_thread_runs() -> None:
    """IRQF_ONESHOT is added.  Source: irq_setup_forced_threading()."""
    outcome = run_free(
        lasting("4500us")
        + kernel(threadirqs=True)
        + device("d", ["1ms"], ["run 1ms"], ack="never")
    )
    assert outcome.times("irq_handler_entry") == [1000, 2000, 3000, 4000]


# -- following the line ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preempt", "state"),
    [("none", "D"), ("voluntary", "R+"), ("full", "R+")],
)
def test_a_thread_follows_its_line_through_the_stopper(preempt: str, state: str) -> None:
    """At its next round migration/N sends it on, asleep or preempted where it began to wait.

    Source: irq_thread_check_affinity(), affine_move_task(), migration_cpu_stop().
    """
    outcome = run(
        kernel(preempt=preempt)
        + device("d", ["1ms", "3ms"], thread=["trace_printk t"], flags=ONESHOT, affinity=[0])
        + device("m", ["2ms"], ["irq_set_affinity d 2"], spi=2)
    )
    assert [line.cpu for line in outcome.of("print")] == [0, 2]
    assert [line.cpu for line in outcome.of("irq_handler_entry", gist="d")] == [0, 2]
    moved = outcome.one("sched_migrate_task", "irq/13-d")
    assert (moved.comm, moved.cpu) == ("migration/0", 0)
    assert moved.text.endswith("orig_cpu=0 dest_cpu=2")
    assert outcome.switches(0)[-3:] == [
        "swapper/0:R>irq/13-d",
        f"irq/13-d:{state}>migration/0",
        "migration/0:S>swapper/0",
    ]


@pytest.mark.parametrize(("release", "when"), [("6.1", 3000), ("6.12", 2000)])
def test_when_a_thread_follows_its_line(release: str, when: int) -> None:
    """At its next round, or woken for it as soon as the line has been moved.

    Source: irq_set_thread_affinity(): wake_up_process(); irq_wait_for_interrupt().
    """
    outcome = run_free(
        kernel(release=release)
        + device("d", ["1ms", "3ms"], thread=["trace_printk t"], flags=ONESHOT, affinity=[0])
        + device("m", ["2ms"], ["irq_set_affinity d 2"], spi=2)
    )
    assert outcome.times("sched_migrate_task", "irq/13-d") == [when]
    assert [line.cpu for line in outcome.of("print")] == [0, 2]


@pytest.mark.parametrize(("release", "cpu"), [("6.1", 0), ("6.12", 2)])
def test_a_secondary_thread_follows_the_line_too_or_does_not(release: str, cpu: int) -> None:
    """Source: irq_set_thread_affinity(): action->secondary."""
    outcome = run_free(
        kernel(release=release, threadirqs=True)
        + device(
            "d",
            ["1ms", "3ms"],
            ["return IRQ_WAKE_THREAD"],
            thread=["trace_printk t"],
            affinity=[0],
        )
        + device("m", ["2ms"], ["irq_set_affinity d 2"], spi=2, flags=["IRQF_NO_THREAD"])
    )
    assert [line.cpu for line in outcome.of("print")] == [0, cpu]
