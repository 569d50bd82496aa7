"""The laws of the way from the exception to the handlers and back: entry, irq-gic*.c, handle.c."""

from __future__ import annotations

import pytest

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
    tasklet,
)

HANDLER = ("irq_handler_entry", "irq_handler_exit")


def _machine(irqchip: str, release: str = "6.1") -> str:
    return table("machine", irqchip=irqchip) + kernel(release=release)


# -- several lines -----------------------------------------------------------------------


def _two_lines(irqchip: str, release: str = "6.1") -> list[str]:
    """Two lines come up at once, each raises its own vector: what happens on CPU 0."""
    outcome = run(
        _machine(irqchip, release)
        + device("b", ["1ms"], ["raise_softirq HI"], spi=9)
        + device("a", ["1ms"], ["raise_softirq TASKLET"], spi=3)
    )
    return [
        f"{line.letters[:3]} {line.event.removeprefix('irq_')} {line.gist}"
        for line in outcome.of("irq_handler_entry", "softirq_entry", cpu=0)
    ]


def test_gicv2_serves_all_that_is_pending_in_one_exception() -> None:
    """Softirqs come after the last.  Source: irq-gic.c: gic_handle_irq: do ... while."""
    assert _two_lines("gic-v2") == [
        "d.h handler_entry a",
        "d.h handler_entry b",
        "..s softirq_entry HI",
        "..s softirq_entry TASKLET",
    ]


def test_gicv3_serves_one_interrupt_per_exception() -> None:
    """The second lands where the softirqs let interrupts in, and its HI runs a pass later.

    Source: irq-gic-v3.c: __gic_handle_irq reads IAR once; __do_softirq().
    """
    assert _two_lines("gic-v3") == [
        "d.h handler_entry a",
        "d.H handler_entry b",
        "..s softirq_entry TASKLET",
        "..s softirq_entry HI",
    ]


def test_before_5_16_each_interrupt_is_entered_and_left() -> None:
    """Softirqs run after each of an exception's, and let the next one in.

    Source: __handle_domain_irq(): irq_exit().
    """
    assert _two_lines("gic-v2", "5.10") == [
        "d.h handler_entry a",
        "d.H handler_entry b",
        "..s softirq_entry TASKLET",
        "..s softirq_entry HI",
    ]


@pytest.mark.parametrize("irqchip", ["gic-v2", "gic-v3"])
def test_the_lowest_intid_comes_first(irqchip: str) -> None:
    """Of one priority, whatever the order of arrival.  Source: IHI 0048 3.3; IHI 0069 4.8."""
    outcome = run(
        _machine(irqchip)
        + task("a", ["local_irq_disable", "run 2ms", "local_irq_enable", "run 1us"], cpu=0)
        + device("z", ["500us"], [], spi=9)
        + device("m", ["700us"], [], spi=5)
        + device("a", ["900us"], [], spi=2)
    )
    assert outcome.gists("irq_handler_entry") == ["a", "m", "z"]


def test_a_higher_priority_comes_first() -> None:
    """Lower value, whatever the number.  Source: IHI 0069 4.8."""
    outcome = run(
        task("a", ["local_irq_disable", "run 2ms", "local_irq_enable", "run 1us"], cpu=0)
        + device("low", ["500us"], [], spi=2)
        + device("high", ["700us"], [], spi=9, priority=0x80)
    )
    assert outcome.gists("irq_handler_entry") == ["high", "low"]


def test_hard_interrupts_do_not_nest() -> None:
    """Another line waits for the end of the handler.  Source: interrupts are off in handlers."""
    outcome = run(
        device("a", ["1ms"], ["run 100us"], spi=5) + device("b", ["1050us"], ["run 1us"], spi=3)
    )
    assert outcome.gists(*HANDLER) == ["a", "handled", "b", "handled"]


def test_two_cpus_serve_their_lines_at_the_same_time() -> None:
    """Source: the distributor routes each line to its CPU."""
    outcome = run_free(
        device("a", ["1ms"], ["run 100us"], affinity=[0])
        + device("b", ["1ms"], ["run 100us"], spi=2, affinity=[1])
    )
    assert outcome.times("irq_handler_entry") == [1000, 1000]


# -- edges and levels --------------------------------------------------------------------


def test_an_edge_during_its_handler_is_one_more_interrupt() -> None:
    """Later ones merge with it.  A new exception, before the softirqs' first vector.

    Source: the GIC: active and pending; handle_fasteoi_irq().
    """
    outcome = run(
        device(
            "d",
            ["1ms", "1020us", "1030us", "1040us"],
            ["run 100us", "raise_softirq BLOCK"],
            trigger="edge",
        )
    )
    story = outcome.story("irq_handler_entry", "softirq_entry")
    assert story[:3] == [
        "d.h.. irq_handler_entry d",
        "d.H.. irq_handler_entry d",
        "..s.. softirq_entry BLOCK",
    ]
    assert outcome.device_counts("d")[:2] == [4, 2]


def test_a_level_that_asks_again_is_served_again() -> None:
    """When the handler quieted it at its start.  Source: the GIC: level-sensitive."""
    outcome = run_free(device("d", ["1ms", "1050us"], ["run 100us"], ack="start"))
    assert outcome.times("irq_handler_entry") == [1000, 1100]


def test_a_level_that_asked_again_is_swallowed_by_a_late_ack() -> None:
    """Quieting at the end takes back both.  Source: the GIC: level-sensitive."""
    outcome = run_free(device("d", ["1ms", "1050us"], ["run 100us"], ack="end"))
    assert outcome.times("irq_handler_entry") == [1000]


def test_a_level_that_is_not_quieted_comes_again_at_once() -> None:
    """Deactivation makes it pending again.  Source: the GIC: level-sensitive."""
    outcome = run_free(
        lasting("1350us") + device("d", ["1ms"], ["run 100us"], ack="never")
    )
    assert outcome.times("irq_handler_entry") == [1000, 1100, 1200, 1300]


def test_edges_that_find_interrupts_off_merge() -> None:
    """One latch.  Source: the GIC: edge-triggered; /proc/irqsim counts the merged ones."""
    outcome = run_free(
        task("a", ["local_irq_disable", "run 2ms", "local_irq_enable", "run 1us"], cpu=0)
        + device("d", ["500us", "700us", "900us"], [], trigger="edge")
    )
    assert outcome.times("irq_handler_entry") == [2000]
    assert outcome.device_counts("d")[:2] == [3, 2]


# -- shared lines ------------------------------------------------------------------------


def _shared(*handlers: list[str]) -> Outcome:
    """Devices on one line; only the second wants service."""
    flags: Toml = ["IRQF_SHARED"]
    return run(
        "".join(
            device("abc"[n], ["1ms"] if n == 1 else [], steps, flags=flags)
            for n, steps in enumerate(handlers)
        )
    )


def test_all_handlers_of_a_shared_line_are_called() -> None:
    """In the order of their requests, also behind one that handled it.

    Source: __handle_irq_event_percpu(): for_each_action_of_desc().
    """
    outcome = _shared([], [], [])
    assert outcome.gists(*HANDLER) == ["a", "unhandled", "b", "handled", "c", "unhandled"]


def test_a_shared_interrupt_counts_once() -> None:
    """However many actions it has.  Source: kstat_incr_irqs_this_cpu()."""
    outcome = _shared([], [], [])
    assert " a, b, c" in outcome.file("/proc/interrupts")
    assert sum(outcome.counts("/proc/interrupts", "13")) == 1


# -- in whose context --------------------------------------------------------------------


def test_the_task_column_is_who_was_interrupted() -> None:
    """The idle task is `<idle>`.  Source: kernel/trace/trace_output.c."""
    outcome = run(
        task("busy", ["run 2ms"], cpu=0)
        + device("a", ["1ms"], [], affinity=[0])
        + device("b", ["1ms"], [], spi=2, affinity=[1])
    )
    assert [line.comm for line in outcome.of("irq_handler_entry")] == ["busy", "<idle>"]


def test_an_interrupted_stretch_goes_on_with_what_it_owes() -> None:
    """3 ms of work and two handlers of 1 ms take 5 ms.  Source: the saved registers."""
    outcome = run_free(
        task("a", ["run 3ms", "trace_printk done"], cpu=0)
        + device("d", ["1ms", "2500us"], ["run 1ms"])
    )
    assert outcome.said_at("done") == 5000


def test_contexts_stack_up() -> None:
    """Hard interrupt on softirq on task: h, H, s and nothing.  Source: trace_flags."""
    outcome = run_free(
        task("a", ["run 1ms", "trace_printk task", "run 9ms"], cpu=0)
        + table("softirq", BLOCK=["run 1ms", "trace_printk softirq"])
        + device("d", ["2ms"], ["raise_softirq BLOCK"])
        + device("e", ["2500us"], ["trace_printk nested"], spi=2)
    )
    assert outcome.letters("task") == "....."
    assert outcome.one("irq_handler_entry", "d").letters == "d.h.."
    assert outcome.letters("nested") == "d.H.."
    assert outcome.letters("softirq") == "..s.."


# -- handlers that misbehave -------------------------------------------------------------


def test_a_handler_that_enables_interrupts_warns_and_they_go_off_again() -> None:
    """Source: __handle_irq_event_percpu(): WARN_ONCE(!irqs_disabled())."""
    outcome = run(
        device("d", ["1ms", "2ms"], ["local_irq_enable", "run 5us"])
        + device("e", ["1ms"], ["trace_printk next"], spi=2)
    )
    warnings = [text for text in outcome.dmesg if "enabled interrupts" in text]
    assert len(warnings) == 1
    assert warnings[0].startswith("irq 13 handler ")
    assert outcome.of("irq_handler_exit")[0].letters == "..h.."
    assert outcome.letters("next")[0] == "d"


def test_the_warning_comes_once_in_all() -> None:
    """WARN_ONCE() is one place in the code.  Source: __handle_irq_event_percpu()."""
    outcome = run(
        device("d", ["1ms"], ["local_irq_enable"])
        + device("e", ["2ms"], ["local_irq_enable"], spi=2)
    )
    assert len([text for text in outcome.dmesg if "enabled interrupts" in text]) == 1


def test_an_equal_priority_does_not_preempt_a_handler_that_lets_it() -> None:
    """The running priority holds it back.  Source: IHI 0069 4.8.5; all lines are 0xa0."""
    outcome = run_free(
        device("a", ["1ms"], ["local_irq_enable", "run 100us"], spi=5)
        + device("b", ["1050us"], [], spi=3)
    )
    assert outcome.times("irq_handler_entry", "b") == [1100]


def test_a_higher_priority_preempts_a_handler_that_lets_it() -> None:
    """And both lines work on afterwards.  Source: IHI 0069 4.8.5: preemption."""
    outcome = run_free(
        device("a", ["1ms", "3ms"], ["local_irq_enable", "run 100us"], spi=5)
        + device("b", ["1050us", "4ms"], [], spi=3, priority=0x40)
    )
    assert outcome.times("irq_handler_entry", "b") == [1050, 4000]
    assert outcome.times("irq_handler_entry", "a") == [1000, 3000]


# -- the way back ------------------------------------------------------------------------


def test_a_task_that_holds_interrupts_off_is_not_interrupted() -> None:
    """Until it lets them in, right there.  Source: local_irq_enable()."""
    outcome = run_free(
        task("a", ["local_irq_disable", "run 3ms", "local_irq_enable", "trace_printk on"], cpu=0)
        + device("d", ["1ms"], ["run 50us"])
    )
    assert outcome.times("irq_handler_entry") == [3000]
    assert outcome.said_at("on") == 3050


def test_a_per_cpu_interrupt_has_no_unhandled_search() -> None:
    """Nor a lock, nor INPROGRESS: it runs on all CPUs at once.

    Source: handle_percpu_devid_irq().
    """
    outcome = run_free(device("pmu", ["1ms"], ["run 50us"], ppi=7))
    assert outcome.times("irq_handler_entry") == [1000] * 4
    assert [line.cpu for line in outcome.of("irq_handler_entry")] == [0, 1, 2, 3]


@pytest.mark.parametrize(("arch", "comm"), [("arm64", "f"), ("arm", "ksoftirqd/0")])
def test_softirqs_run_where_arm64_loads_floating_point_registers(arch: str, comm: str) -> None:
    """On the way to user mode, with bottom halves off: what waits for ksoftirqd runs there.

    Source: fpsimd_restore_current_state(): get_cpu_fpsimd_context() of arm64.
    """
    outcome = run_free(
        table("machine", arch=arch)
        + tasklet("t")
        + task("a", ["preempt_disable", "tasklet_schedule t", "run 100us", "preempt_enable"], cpu=0)
        + task("f", ["run 10us"], cpu=0, policy="fifo", start="50us")
    )
    assert outcome.one("softirq_entry", "TASKLET").comm == comm
