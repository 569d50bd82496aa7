"""The laws of drivers' calls on their lines: kernel/irq/manage.c, kernel/irq/chip.c."""

from __future__ import annotations

from tests.kernel_scenarios import (
    Outcome,
    Toml,
    device,
    kernel,
    lasting,
    run,
    run_free,
    table,
    task,
)

SHARED: Toml = ["IRQF_SHARED"]


def _served(outcome: Outcome, name: str = "d") -> list[int]:
    return outcome.times("irq_handler_entry", name)


def _operator(*steps: str, start: str = "0s", **keys: Toml) -> str:
    """A task on another CPU that makes these calls."""
    return task("op", list(steps), cpu=1, start=start, **keys)


# -- disabling ---------------------------------------------------------------------------


def test_disabling_is_lazy() -> None:
    """The line is masked by its next interrupt, which is no handler's and does not count.

    Source: irq_disable(), handle_fasteoi_irq(): IRQS_PENDING, mask_irq.
    """
    outcome = run_free(
        device("d", ["2ms", "3ms"], [], trigger="edge", affinity=[0]) + _operator("disable_irq d")
    )
    assert _served(outcome) == []
    assert outcome.counts("/proc/interrupts", "d") == [0, 0, 0, 0]
    # One exception woke the idle CPU; the line was masked when the second edge came.
    desc = outcome.simulation.machine.line_of("d")
    assert desc.masked
    assert outcome.file("/proc/irq/d/spurious").startswith("count 0")


def test_edges_that_came_meanwhile_are_replayed_once() -> None:
    """By the controller, as soon as the line is enabled.

    Source: check_irq_resend(): irq_retrigger (ISPENDR), IRQS_REPLAY.
    """
    outcome = run_free(
        device("d", ["2ms", "3ms", "4ms"], [], trigger="edge")
        + _operator("disable_irq d", "run 10ms", "enable_irq d")
    )
    assert _served(outcome) == [10_000]
    assert outcome.counts("/proc/interrupts", "d") == [1, 0, 0, 0]


def test_no_edge_no_replay() -> None:
    """Source: check_irq_resend(): IRQS_PENDING."""
    outcome = run_free(
        device("d", ["1ms"], [], trigger="edge")
        + _operator("run 2ms", "disable_irq d", "run 3ms", "enable_irq d")
    )
    assert _served(outcome) == [1000]


def test_a_level_that_is_still_there_fires_by_itself() -> None:
    """It is never replayed: the line says what it wants.  Source: check_irq_resend(): level."""
    outcome = run_free(
        device("d", ["2ms"], []) + _operator("disable_irq d", "run 10ms", "enable_irq d")
    )
    assert _served(outcome) == [10_000]


def test_a_level_that_is_gone_is_not_replayed() -> None:
    """Source: check_irq_resend(): IRQS_PENDING is dropped.

    A shared neighbour quiets nothing here: the device is masked by NAPI, and its line falls.
    """
    outcome = run_free(
        device("d", ["2ms"], [])
        + table("[napi]", name="n", device="d")
        + _operator("disable_irq d", "run 3ms", "napi_schedule n", "run 3ms", "enable_irq d")
    )
    assert _served(outcome) == []


def test_disabling_nests() -> None:
    """`depth` counts; the last enable_irq() enables.  Source: __disable_irq(), __enable_irq()."""
    outcome = run_free(
        device("d", ["2ms"], [], trigger="edge")
        + _operator(
            *("disable_irq d", "disable_irq d", "run 5ms", "enable_irq d"),
            *("run 5ms", "enable_irq d"),
        )
    )
    assert _served(outcome) == [10_000]
    assert outcome.dmesg == []


def test_an_enable_too_many_warns_each_time() -> None:
    """A WARN(), not a WARN_ONCE().  Source: __enable_irq()."""
    outcome = run(device("d", ["5ms"], []) + _operator("enable_irq d", "enable_irq d"))
    assert [text for text in outcome.dmesg if "Unbalanced" in text] == [
        "Unbalanced enable for IRQ 13"
    ] * 2
    assert outcome.dmesg[0] == "------------[ cut here ]------------"
    assert outcome.dmesg[2].startswith("WARNING: CPU: 1 PID: ")
    assert len(_served(outcome)) == 1


def test_disable_irq_waits_for_a_handler_on_another_cpu() -> None:
    """And disable_irq_nosync() does not.  Source: disable_irq(): synchronize_irq()."""
    line = device("d", ["1ms"], ["run 3ms"])
    outcome = run_free(line + _operator("run 2ms", "disable_irq d", "trace_printk back"))
    assert outcome.said_at("back") == 4000
    outcome = run_free(line + _operator("run 2ms", "disable_irq_nosync d", "trace_printk back"))
    assert outcome.said_at("back") == 2000


def test_disable_irq_waits_for_the_thread() -> None:
    """threads_active must be zero: the caller sleeps (D).  Source: synchronize_irq()."""
    outcome = run_free(
        device("d", ["1ms"], thread=["run 3ms"], flags=["IRQF_ONESHOT"])
        + _operator("run 2ms", "disable_irq d", "trace_printk back")
    )
    assert outcome.said_at("back") == 4000
    assert "op:D>swapper/1" in outcome.switches(1)


def test_synchronize_irq_returns_at_once_when_nothing_runs() -> None:
    """Source: synchronize_irq()."""
    outcome = run_free(
        device("d", ["1ms"], []) + _operator("run 2ms", "synchronize_irq d", "trace_printk back")
    )
    assert outcome.said_at("back") == 2000


def test_disable_irq_in_the_lines_own_handler_never_returns() -> None:
    """It waits for itself: a lockup, as in the kernel.  Source: synchronize_irq()."""
    outcome = run(device("d", ["1ms"], ["disable_irq d"]))
    assert outcome.simulation.panicked
    assert outcome.dmesg[0] == (
        "irqsim: lockup: CPU#0 [swapper/0:0] waits for the handlers of irq 13 to return, "
        "and keeps it from that itself"
    )


def test_a_handler_may_disable_its_own_line_without_waiting() -> None:
    """Source: disable_irq_nosync()."""
    outcome = run_free(
        device("d", ["1ms", "2ms"], ["disable_irq_nosync d"], trigger="edge")
        + _operator("run 5ms", "enable_irq d")
    )
    assert _served(outcome) == [1000, 5000]


def test_two_lines_that_are_replayed_come_lowest_first() -> None:
    """Both are pending when the enabling handler ends.

    Source: check_irq_resend(); the GIC takes the lowest INTID of a priority.
    """
    outcome = run_free(
        device("late", ["1ms"], [], spi=5, trigger="edge")
        + device("early", ["1ms"], [], spi=3, trigger="edge")
        + device("op", ["500us"], ["disable_irq_nosync late", "disable_irq_nosync early"], spi=8)
        + device("on", ["2ms"], ["enable_irq late", "enable_irq early"], spi=9)
    )
    assert outcome.gists("irq_handler_entry") == ["op", "on", "early", "late"]


# -- requesting and freeing --------------------------------------------------------------


def test_a_line_is_silent_until_it_is_requested() -> None:
    """Masked and disabled, depth 1; the request starts it.  Source: __setup_irq()."""
    outcome = run_free(
        device("d", ["1ms", "8ms"], [], probe=False)
        + _operator("run 5ms", "request_irq d")
    )
    # The level that came before is still there.
    assert _served(outcome) == [5000, 8000]


def test_an_edge_on_a_freed_line_is_latched() -> None:
    """The controller keeps it pending behind its enable bit.  Source: ICENABLER, ISENABLER."""
    outcome = run_free(
        device("d", ["3ms", "4ms"], [], trigger="edge")
        + _operator("run 2ms", "free_irq d", "run 3ms", "request_irq d")
    )
    assert _served(outcome) == [5000]


def test_an_edge_before_the_first_request_is_lost() -> None:
    """A line that nobody has configured is a level one: a pulse leaves nothing behind.

    Source: drivers/irqchip/irq-gic-v3.c: gic_dist_config; __setup_irq(): __irq_set_trigger().
    """
    outcome = run_free(
        device("d", ["1ms", "2ms"], [], probe=False, trigger="edge")
        + _operator("run 5ms", "request_irq d")
    )
    assert _served(outcome) == []


def test_a_freed_line_is_shut_down() -> None:
    """Source: __free_irq(): irq_shutdown()."""
    outcome = run_free(
        device("d", ["1ms", "3ms"], []) + _operator("run 2ms", "free_irq d")
    )
    assert _served(outcome) == [1000]


def test_a_freed_line_can_be_requested_again() -> None:
    """Source: __free_irq(), __setup_irq()."""
    outcome = run_free(
        device("d", ["1ms", "3ms", "6ms"], [])
        + _operator("run 2ms", "free_irq d", "run 2ms", "request_irq d")
    )
    assert _served(outcome) == [1000, 4000, 6000]


def test_a_replay_outlives_the_action() -> None:
    """IRQS_PENDING is not cleared by irq_shutdown(): the next request replays the edge.

    Source: irq_shutdown(), __setup_irq(): irq_startup(desc, IRQ_RESEND, ...).
    """
    outcome = run_free(
        device("d", ["1ms"], [], trigger="edge")
        + _operator("disable_irq d", "run 2ms", "free_irq d", "run 2ms", "request_irq d")
    )
    assert _served(outcome) == [4000]


def test_freeing_one_of_a_shared_line_leaves_the_others() -> None:
    """Source: __free_irq(): the action is unlinked."""
    outcome = run_free(
        device("a", ["1ms"], [], flags=SHARED)
        + device("b", ["1ms", "3ms"], [], flags=SHARED)
        + _operator("run 2ms", "free_irq a")
    )
    assert outcome.gists("irq_handler_entry") == ["a", "b", "b"]


def test_freeing_a_line_twice_warns() -> None:
    """Source: __free_irq(): "already-free"."""
    outcome = run(device("d", [], []) + _operator("free_irq d", "free_irq d"))
    assert outcome.dmesg[1] == "Trying to free already-free IRQ 13"


def test_freeing_a_line_in_an_interrupt_warns() -> None:
    """Source: __free_irq(): WARN(in_interrupt())."""
    outcome = run(device("d", [], []) + device("e", ["1ms"], ["free_irq d"], spi=2))
    assert outcome.dmesg[1] == "Trying to free IRQ 13 from IRQ context!"


def test_freeing_a_line_in_an_interrupt_frees_it_all_the_same() -> None:
    """The WARN() does not return.  Source: __free_irq()."""
    outcome = run(device("d", ["2ms"], []) + device("e", ["1ms"], ["free_irq d"], spi=2))
    assert _served(outcome) == []


def test_free_irq_waits_for_the_handler() -> None:
    """Source: __free_irq(): __synchronize_hardirq()."""
    outcome = run_free(
        device("d", ["1ms"], ["run 3ms"])
        + _operator("run 2ms", "free_irq d", "trace_printk back")
    )
    assert outcome.said_at("back") == 4000


def test_freeing_ends_the_thread() -> None:
    """kthread_stop(): it runs what it was asked to, and exits.  Source: __free_irq()."""
    outcome = run_free(
        device("d", ["1ms"], thread=["run 10us"], flags=["IRQF_ONESHOT"])
        + _operator("run 2ms", "free_irq d")
    )
    assert outcome.one("sched_process_exit", "irq/13-d").time_us == 2000


def test_free_irq_waits_for_the_end_of_the_thread() -> None:
    """kthread_stop() waits for its exit, the caller in D.  Source: __free_irq()."""
    outcome = run_free(
        device("d", ["1ms"], thread=["run 3ms"], flags=["IRQF_ONESHOT"])
        + _operator("run 2ms", "free_irq d", "trace_printk back")
    )
    assert outcome.said_at("back") == 4000


def test_a_request_that_is_refused_is_said_and_changes_nothing() -> None:
    """-EBUSY with the flags of both.  Source: __setup_irq(): "Flags mismatch"."""
    outcome = run(
        device("a", ["2ms"], [])
        + device("b", [], [], probe=False, flags=SHARED)
        + _operator("request_irq b")
    )
    assert outcome.dmesg[0] == "genirq: Flags mismatch irq 13. 00000084 (b) vs. 00000004 (a)"
    assert outcome.gists("irq_handler_entry") == ["a"]


def test_a_null_handler_without_oneshot_is_refused() -> None:
    """-EINVAL.  Source: __setup_irq(): "Threaded irq requested"."""
    outcome = run(device("d", [], thread=[], probe=False) + _operator("request_irq d"))
    assert outcome.dmesg[0] == (
        "genirq: Threaded irq requested with handler=NULL and !ONESHOT for d (irq 13)"
    )


def test_a_second_action_of_a_shared_line_comes_last() -> None:
    """Appended at the list's tail.  Source: __setup_irq()."""
    outcome = run(
        device("b", ["2ms"], [], flags=SHARED, probe=False)
        + device("a", ["2ms"], [], flags=SHARED)
        + _operator("request_irq b")
    )
    assert outcome.gists("irq_handler_entry")[:2] == ["a", "b"]


def test_a_line_without_autoenable_waits_for_enable_irq() -> None:
    """depth stays 1; one enable_irq() is balanced.  Source: __setup_irq(): IRQF_NO_AUTOEN."""
    outcome = run_free(
        device("d", ["1ms"], [], flags=["IRQF_NO_AUTOEN"]) + _operator("run 5ms", "enable_irq d")
    )
    assert _served(outcome) == [5000]
    assert outcome.dmesg == []


def test_enabling_a_line_that_nobody_requested_has_no_message_of_its_own() -> None:
    """A mapped line has a chip: irq_startup() WARNs once that it is not activated.

    Source: enable_irq(): !desc->irq_data.chip; __irq_startup(): irqd_is_activated().
    """
    outcome = run(device("d", [], [], probe=False) + _operator("enable_irq d", "enable_irq d"))
    assert not any("before setup" in text for text in outcome.dmesg)
    assert [text for text in outcome.dmesg if "Unbalanced" in text] == [
        "Unbalanced enable for IRQ 13"
    ]


# -- affinity ----------------------------------------------------------------------------


def test_a_line_goes_to_the_first_cpu_of_its_affinity() -> None:
    """Source: gic_set_affinity(): cpumask_any_and()."""
    outcome = run(device("d", ["1ms", "2ms"], [], affinity=[3, 1, 2]))
    assert [line.cpu for line in outcome.of("irq_handler_entry")] == [1, 1]
    assert outcome.file("/proc/irq/d/effective_affinity_list").strip() == "1"


def test_a_new_line_has_the_default_affinity() -> None:
    """`irqaffinity=`.  Source: irq_setup_affinity(): irq_default_affinity."""
    outcome = run(kernel(irqaffinity=[2, 3]) + device("d", ["1ms"], []))
    assert outcome.one("irq_handler_entry").cpu == 2


def test_a_move_takes_effect_with_the_next_interrupt() -> None:
    """Source: irq_set_affinity(): IRQD_MOVE_PCNTXT."""
    outcome = run(
        device("d", ["1ms", "3ms"], []) + _operator("run 2ms", "irq_set_affinity d 2-3")
    )
    assert [line.cpu for line in outcome.of("irq_handler_entry")] == [0, 2]


def test_a_pending_interrupt_moves_along() -> None:
    """CPU 0 has interrupts off; the new target takes it at once.

    Source: the GIC routes when it signals, not when it latches.
    """
    outcome = run_free(
        task("a", ["local_irq_disable", "run 5ms", "local_irq_enable"], cpu=0)
        + device("d", ["1ms"], [], trigger="edge")
        + _operator("run 2ms", "irq_set_affinity d 3")
    )
    entry = outcome.one("irq_handler_entry")
    assert (entry.cpu, entry.time_us) == (3, 2000)


def test_a_running_handler_does_not_move() -> None:
    """And its line is not served twice at once.  Source: the active state; INPROGRESS."""
    outcome = run_free(
        device("d", ["1ms", "2ms"], ["run 3ms"], trigger="edge")
        + _operator("run 1500us", "irq_set_affinity d 3")
    )
    first, second = outcome.of("irq_handler_entry")
    assert (first.cpu, second.cpu) == (0, 3)
    assert second.time_us >= outcome.of("irq_handler_exit")[0].time_us


def test_the_affinity_of_a_freed_line_is_kept() -> None:
    """What a driver or user has set is preserved.  Source: irq_setup_affinity(): AFFINITY_SET."""
    outcome = run_free(
        device("d", ["1ms", "5ms"], [])
        + _operator("irq_set_affinity d 2", "run 2ms", "free_irq d", "request_irq d")
    )
    assert [line.cpu for line in outcome.of("irq_handler_entry")] == [2, 2]


def test_per_cpu_lines_are_raised_on_each_cpu() -> None:
    """Source: handle_percpu_devid_irq()."""
    outcome = run(lasting("3ms") + device("pmu", ["1ms"], [], ppi=7, affinity=[1, 2]))
    assert [line.cpu for line in outcome.of("irq_handler_entry")] == [1, 2]
