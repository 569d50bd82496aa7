"""The laws of the search for interrupts that nobody handles: kernel/irq/spurious.c."""

from __future__ import annotations

from itertools import pairwise

import pytest

from irqsim.kernel.irq.handle import handle_irq_event
from irqsim.kernel.irq.irqdesc import (
    IRQ_HANDLED,
    IRQ_NONE,
    IRQ_WAKE_THREAD,
    IrqDesc,
)
from irqsim.kernel.irq.spurious import note_interrupt
from irqsim.kernel.state import Kernel
from irqsim.scenario.reader import read_text
from irqsim.simulation import build
from tests.kernel_scenarios import Outcome, Toml, device, kernel, lasting, run, task

NOBODY = 'irq 13: nobody cared (try booting with the "irqpoll" option)'
DISABLING = "Disabling IRQ #13"


class Judge:
    """note_interrupt() on the line of the device d, with jiffies set by hand."""

    def __init__(self, text: str = device("d", [], []), **settings: Toml) -> None:
        self.simulation = build(read_text(text + kernel(**settings)), lambda records: None)
        self.kernel: Kernel = self.simulation.kernel
        self.desc: IrqDesc = self.simulation.machine.line_of("d")

    def note(self, retval: int, times: int = 1, jiffies: int = 0) -> None:
        """So many interrupts with this result, each so much after the one before."""
        k = self.kernel
        for _ in range(times):
            k.jiffies += jiffies
            for _ in note_interrupt(k, k.cpus[0], self.desc, retval, handle_irq_event):
                pass

    def is_disabled(self) -> bool:
        """Whether the line has been disabled."""
        return self.desc.depth > 0

    @property
    def said(self) -> list[str]:
        """The kernel log."""
        return [text for _, _, text in self.kernel.dmesg]


def test_a_line_is_disabled_at_99901_of_100000() -> None:
    """More than 99,900 unhandled when 100,000 have been counted.  Source: note_interrupt()."""
    judge = Judge()
    judge.note(IRQ_NONE, 99_901)
    judge.note(IRQ_HANDLED, 98)
    assert not judge.is_disabled()
    judge.note(IRQ_HANDLED)
    assert judge.is_disabled()
    assert judge.said[0] == NOBODY
    assert judge.said[-1] == DISABLING


def test_a_line_is_not_disabled_at_99900_of_100000() -> None:
    """And the count begins anew.  Source: note_interrupt()."""
    judge = Judge()
    judge.note(IRQ_NONE, 99_900)
    judge.note(IRQ_HANDLED, 100)
    assert not judge.is_disabled()
    assert (judge.desc.irq_count, judge.desc.irqs_unhandled) == (0, 0)


def test_100000_unhandled_disable_at_the_last() -> None:
    """Not one earlier.  Source: note_interrupt()."""
    judge = Judge()
    judge.note(IRQ_NONE, 99_999)
    assert not judge.is_disabled()
    judge.note(IRQ_NONE)
    assert judge.is_disabled()


@pytest.mark.parametrize(("hz", "gap"), [(100, 10), (250, 25), (1000, 100)])
def test_a_gap_of_more_than_a_tenth_of_a_second_starts_anew(hz: int, gap: int) -> None:
    """Exactly HZ/10 does not.  Source: note_interrupt(): time_after()."""
    judge = Judge(hz=hz)
    judge.note(IRQ_NONE, 5)
    judge.note(IRQ_NONE, 5, jiffies=gap)
    assert judge.desc.irqs_unhandled == 10
    judge.note(IRQ_NONE, 1, jiffies=gap + 1)
    assert judge.desc.irqs_unhandled == 1


def test_rare_unhandled_interrupts_never_disable() -> None:
    """Each starts anew.  Source: note_interrupt()."""
    judge = Judge()
    judge.note(IRQ_NONE, 100_001, jiffies=26)
    assert not judge.is_disabled()


@pytest.mark.parametrize(("release", "counts"), [("6.1", 0), ("6.12", 0), ("5.10", 7), ("4.19", 7)])
def test_a_healthy_line_is_counted_by_old_releases_only(release: str, counts: int) -> None:
    """Since 5.14 counting begins with the first unhandled one.

    Source: commit 7c07012eb1be; note_interrupt(): !desc->irqs_unhandled.
    """
    judge = Judge(release=release)
    judge.note(IRQ_HANDLED, 7)
    assert judge.desc.irq_count == counts


def test_after_an_unhandled_one_handled_ones_count_too() -> None:
    """Up to the next judgement.  Source: note_interrupt()."""
    judge = Judge()
    judge.note(IRQ_NONE)
    judge.note(IRQ_HANDLED, 7)
    assert judge.desc.irq_count == 8


def test_noirqdebug_switches_it_off() -> None:
    """Source: handle_irq_event_percpu(): !irq_settings_no_debug()."""
    judge = Judge(noirqdebug=True)
    judge.note(IRQ_NONE, 100_000)
    assert not judge.is_disabled()


# -- threads -----------------------------------------------------------------------------


def test_waking_a_thread_defers_the_judgement() -> None:
    """The next interrupt asks whether a thread has handled one since.

    Source: note_interrupt(): SPURIOUS_DEFERRED.
    """
    judge = Judge()
    judge.note(IRQ_WAKE_THREAD)
    assert judge.desc.irqs_unhandled == 0
    judge.desc.threads_handled += 1
    judge.note(IRQ_WAKE_THREAD)
    assert judge.desc.irqs_unhandled == 0
    # Nobody has handled the second one when the third comes.
    judge.note(IRQ_WAKE_THREAD)
    assert judge.desc.irqs_unhandled == 1


def test_threads_that_handle_nothing_lose_the_line() -> None:
    """One interrupt later than handlers would.  Source: note_interrupt()."""
    judge = Judge()
    judge.note(IRQ_WAKE_THREAD, 100_000)
    assert not judge.is_disabled()
    judge.note(IRQ_WAKE_THREAD)
    assert judge.is_disabled()


def test_a_handler_beside_the_thread_speaks_for_it() -> None:
    """HANDLED | WAKE_THREAD is handled, and nothing is deferred.  Source: note_interrupt()."""
    judge = Judge()
    judge.note(IRQ_HANDLED | IRQ_WAKE_THREAD, 10)
    judge.note(IRQ_WAKE_THREAD)
    assert judge.desc.irqs_unhandled == 0
    judge.note(IRQ_WAKE_THREAD)
    assert judge.desc.irqs_unhandled == 1


def test_deferring_keeps_the_count_of_the_last_judgement() -> None:
    """The bit is set, the number below it stays.  Source: note_interrupt(): |= DEFERRED."""
    judge = Judge()
    judge.note(IRQ_WAKE_THREAD)
    judge.desc.threads_handled += 1
    judge.note(IRQ_HANDLED | IRQ_WAKE_THREAD)
    judge.note(IRQ_WAKE_THREAD)
    # Still 0 | DEFERRED, against a count of 1: handled.
    judge.note(IRQ_WAKE_THREAD)
    assert judge.desc.irqs_unhandled == 0


# -- the whole way -----------------------------------------------------------------------


def _storm(**keys: Toml) -> Outcome:
    """A level line that nobody quiets, whose handler knows nothing of it."""
    costs = ("cost.irq_entry=0s", "cost.irq_handler=0s", "cost.irq_exit=1us")
    return run(
        lasting("200ms")
        + task("u", ["run 1s"], cpu=0)
        + device("d", ["1ms"], ["return IRQ_NONE"], ack="never", **keys),
        'trace.events=["sched", "timer"]',
        *costs,
    )


def test_a_storm_ends_after_100000_interrupts() -> None:
    """dmesg says who, and the line is silent.

    Source: note_interrupt(), __report_bad_irq(); /proc/irq/N/spurious.
    """
    outcome = _storm()
    assert sum(outcome.counts("/proc/interrupts", "d")) == 100_000
    assert outcome.dmesg[0] == NOBODY
    assert outcome.dmesg[-1] == DISABLING
    handlers = outcome.dmesg[outcome.dmesg.index("handlers:") + 1 : -1]
    assert len(handlers) == 1
    assert handlers[0].startswith("[<")
    assert "d_irq" in handlers[0]
    assert outcome.simulation.machine.line_of("d").depth == 1


def test_a_thread_stands_beside_its_handler_in_the_report() -> None:
    """` threaded [<%p>] %ps`.  Source: __report_bad_irq()."""
    judge = Judge(device("d", [], ["return IRQ_WAKE_THREAD"], thread=[]))
    judge.note(IRQ_WAKE_THREAD, 100_001)
    handlers = judge.said[judge.said.index("handlers:") + 1]
    assert " threaded [<" in handlers
    assert "d_thread" in handlers


def test_a_handled_storm_is_never_disabled() -> None:
    """There is no limit on the rate of handled interrupts.  Source: note_interrupt()."""
    judge = Judge()
    judge.note(IRQ_HANDLED, 250_000)
    assert not judge.is_disabled()


def test_a_new_driver_of_a_shared_line_enables_it_again() -> None:
    """SPURIOUS_DISABLED is cleared, and the counts begin anew.  Source: __setup_irq()."""
    judge = Judge(
        device("d", [], [], flags=["IRQF_SHARED"])
        + device("e", [], [], flags=["IRQF_SHARED"], probe=False)
        + task("t", ["request_irq e"], start="1ms")
    )
    judge.note(IRQ_NONE, 100_000)
    assert judge.is_disabled()
    judge.simulation.run()
    assert not judge.is_disabled()
    assert judge.desc.irq_count == 0


def test_an_enable_does_it_too() -> None:
    """The detector only counts one more disable.  Source: note_interrupt(): desc->depth++."""
    judge = Judge(device("d", [], []) + task("t", ["enable_irq d"], start="1ms"))
    judge.note(IRQ_NONE, 100_000)
    judge.simulation.run()
    assert not judge.is_disabled()
    assert not any("Unbalanced" in text for text in judge.said)


# -- polling -----------------------------------------------------------------------------

NOTHING = ["return IRQ_NONE"]
BESIDE = (
    device("s", ["1ms"], NOTHING, flags=["IRQF_SHARED"], ack="never")
    + device("b", ["500ms", "650ms"], flags=["IRQF_SHARED"])
)
"""A line that is stuck, and a second device on it."""


def test_a_disabled_shared_line_is_polled_ten_times_a_second() -> None:
    """Its handlers run from the timer; it stays disabled.

    Source: poll_spurious_irqs(): POLL_SPURIOUS_IRQ_INTERVAL; try_one_irq(force).
    """
    outcome = run(BESIDE + lasting("1s"))
    polls = outcome.times("timer_expire_entry", "poll_spurious_irqs")
    assert polls
    assert {later - earlier for earlier, later in pairwise(polls)} == {104_000}
    served = [each for each in outcome.irqs("b") if each.time_us >= polls[0]]
    assert len(served) == 2 * len(polls)
    assert [each.letters for each in served] == ["d.s.."] * len(served)
    assert outcome.device_counts("b") == [2, 0, 0, 2, 0]
    assert outcome.simulation.machine.line_of("b").depth == 1


def test_a_disabled_line_that_is_not_shared_is_never_polled() -> None:
    """The timer looks, and calls nobody.  Source: try_one_irq(): IRQF_SHARED."""
    outcome = run(device("s", ["1ms"], NOTHING, ack="never") + lasting("1s"))
    assert outcome.times("timer_expire_entry", "poll_spurious_irqs")
    last = outcome.irqs("s")[-1]
    assert last.time_us < outcome.times("timer_expire_entry", "poll_spurious_irqs")[0]


def test_without_a_set_end_the_polling_ends_with_the_rest() -> None:
    """A run that would go on for the sake of the timer alone is over."""
    outcome = run(BESIDE)
    polls = outcome.times("timer_expire_entry", "poll_spurious_irqs")
    assert polls[-1] > 650_000
    assert polls[-1] < 800_000


def _misrouted(**settings: Toml) -> Outcome:
    """A device whose interrupt comes on another one's line."""
    return run(
        kernel(**settings)
        + device("a", ["1ms"], ["return IRQ_NONE"], trigger="edge", spi=1)
        + device("b", [], [], flags=["IRQF_SHARED"], spi=2)
        + device("c", [], [], spi=3)
    )


@pytest.mark.parametrize(("option", "nr_calls"), [("irqfixup", 2), ("irqpoll", 2), ("rcu", 0)])
def test_an_interrupt_that_nobody_handles_is_offered_to_shared_lines(
    option: str, nr_calls: int
) -> None:
    """With irqfixup or irqpoll, before the first line's interrupt ends; others are not asked.

    Source: note_interrupt(): misrouted_irq(); try_one_irq().
    """
    outcome = _misrouted(**{option: True})
    assert [len(outcome.irqs(name)) for name in ("a", "b", "c")] == [2, nr_calls, 0]


def test_an_interrupt_that_another_line_handles_does_not_count() -> None:
    """irqs_unhandled goes down again.  Source: note_interrupt(): irqs_unhandled -= ok."""
    text = device("a", ["1ms", "2ms"], ["return IRQ_NONE"], trigger="edge", spi=1)
    for answer, unhandled in (("IRQ_HANDLED", 0), ("IRQ_NONE", 2)):
        outcome = run(
            kernel(irqfixup=True)
            + text
            + device("b", [], [f"return {answer}"], flags=["IRQF_SHARED"], spi=2)
        )
        assert outcome.simulation.machine.line_of("a").irqs_unhandled == unhandled


@pytest.mark.parametrize(("option", "nr_calls"), [("irqfixup", 0), ("irqpoll", 2)])
def test_irqpoll_looks_elsewhere_after_interrupts_that_were_handled_too(
    option: str, nr_calls: int
) -> None:
    """Of lines with IRQF_IRQPOLL.  Source: try_misrouted_irq()."""
    outcome = run(
        kernel(**{option: True})
        + device("a", ["1ms"], [], trigger="edge", spi=1, flags=["IRQF_IRQPOLL"])
        + device("b", [], [], flags=["IRQF_SHARED"], spi=2)
    )
    assert len(outcome.irqs("b")) == nr_calls


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"irqfixup": True},
            ["Misrouted IRQ fixup support enabled.", "This may impact system performance."],
        ),
        (
            {"irqpoll": True},
            [
                "Misrouted IRQ fixup and polling support enabled",
                "This may significantly impact system performance",
            ],
        ),
        ({"noirqdebug": True}, ["IRQ lockup detection disabled"]),
    ],
)
def test_boot_options_are_confirmed(settings: dict[str, Toml], said: list[str]) -> None:
    """In the kernel log.  Source: irqfixup_setup(), irqpoll_setup(), noirqdebug_setup()."""
    assert run(kernel(**settings) + device("d", [], [])).dmesg == said


def test_a_bogus_return_value_is_reported_a_hundred_times() -> None:
    """With the handlers, and it counts for nothing else.  Source: report_bad_irq()."""
    judge = Judge()
    judge.note(0x7, 150)
    assert [text for text in judge.said if "bogus" in text] == (
        ["irq event 13: bogus return value 7"] * 100
    )
    assert judge.desc.irqs_unhandled == 0
