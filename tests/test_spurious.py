"""The laws of the search for interrupts that nobody handles: kernel/irq/spurious.c."""

from __future__ import annotations

import pytest

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
            note_interrupt(k, k.cpus[0], self.desc, retval)

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
