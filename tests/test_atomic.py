"""Who might sleep where nobody may, as a kernel with CONFIG_DEBUG_ATOMIC_SLEEP reports it."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import device, kernel, run, task

HANDLER = device("d", ["1ms", "500ms", "1200ms"], ["mutex_lock m", "mutex_unlock m"])
END = '[run]\nduration = "1500ms"\n'
BUG = "BUG: sleeping function called from invalid context at kernel/locking/mutex.c"


def test_it_is_reported_once_a_second() -> None:
    """Source: kernel/sched/core.c: __might_resched: prev_jiffy + HZ."""
    outcome = run(kernel(debug_atomic_sleep=True) + HANDLER + END)
    assert outcome.dmesg.count(BUG) == 2


def test_it_says_what_the_context_was() -> None:
    outcome = run(kernel(debug_atomic_sleep=True) + HANDLER + END)
    assert outcome.dmesg[:3] == [
        BUG,
        "in_atomic(): 1, irqs_disabled(): 128, non_block: 0, pid: 0, name: swapper/0",
        "preempt_count: 10001, expected: 0",
    ]


def test_an_older_release_says_less() -> None:
    """Source: kernel/sched/core.c of 4.19: ___might_sleep."""
    outcome = run(kernel(debug_atomic_sleep=True, release="4.19") + HANDLER + END)
    assert outcome.dmesg[1] == "in_atomic(): 1, irqs_disabled(): 128, pid: 0, name: swapper/0"
    assert not any("expected" in line for line in outcome.dmesg)


@pytest.mark.parametrize("preempt", ["none", "voluntary", "full"])
def test_who_may_sleep_is_not_reported(preempt: str) -> None:
    doc = kernel(debug_atomic_sleep=True, preempt=preempt)
    outcome = run(doc + task("t", ["mutex_lock m", "run 2us", "mutex_unlock m"], cpu=1) + END)
    assert outcome.dmesg == []


def test_a_kernel_without_the_option_says_nothing() -> None:
    assert BUG not in run(kernel() + HANDLER + END).dmesg
