"""What differs between releases, against what is known of each: irqsim.kernel.release."""

from __future__ import annotations

import pytest

from irqsim.events import release_number
from irqsim.kernel.release import RELEASES, Release, release_named
from tests.kernel_scenarios import device, kernel, run, task, timer

NAMES = ["4.19", "5.10", "6.1", "6.6", "6.12"]


def test_the_releases_are_those_of_the_scenario_language() -> None:
    """In ascending order."""
    assert [release.name for release in RELEASES] == NAMES
    numbers = [release_number(release.name) for release in RELEASES]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("name", NAMES)
def test_a_release_is_found_by_its_name(name: str) -> None:
    """And its version begins with it."""
    release = release_named(name)
    assert release.name == name
    assert release.version.startswith(f"{name}.")


def test_an_unknown_release_is_an_error() -> None:
    """A KeyError of its name."""
    with pytest.raises(KeyError, match=r"2\.4"):
        release_named("2.4")


@pytest.mark.parametrize(
    ("column", "has_it"),
    [
        # IPIs are requested as interrupts.  Source: commits d3afc7f12987, 56afcd3dbd19 (5.10).
        ("ipi_is_irq", ["5.10", "6.1", "6.6", "6.12"]),
        # Source: commit 342677d70ab9 (4.20) took the loop out of irq-gic-v3.c.
        ("gicv3_loops", ["4.19"]),
        # Source: handle_domain_irq() was removed in 5.16.
        ("enters_each_irq", ["4.19", "5.10"]),
        # Source: commit d15121be7485 (6.5).
        ("ksoftirqd_defers", ["4.19", "5.10", "6.1"]),
        # Source: commit 7c07012eb1be (5.14).
        ("spurious_counts_all", ["4.19", "5.10"]),
        # Source: arch/arm64/include/asm/preempt.h came with 5.0.
        ("folds_need_resched", ["5.10", "6.1", "6.6", "6.12"]),
        # Source: include/trace/events/ipi.h: ipi_send_cpu came with 6.4.
        ("traces_ipi_senders", ["6.6", "6.12"]),
        # Source: net/core/dev.c: in_net_rx_action came with 6.4.
        ("net_rx_looks_again", ["6.6", "6.12"]),
        # Source: commit da044747401f (5.13).
        ("tasklet_disable_sleeps", ["6.1", "6.6", "6.12"]),
        # Source: commit 89b3098703bd (6.3): arch_cpu_idle() leaves interrupts off.
        ("idle_ends_with_irqs_off", ["6.6", "6.12"]),
        # Source: irq_set_thread_affinity(): wake_up_process() came with 6.9.
        ("irq_threads_move_at_once", ["6.12"]),
        # Seen in logs of 6.1.176 and 6.12.95.
        ("msleep_adds_one", ["4.19", "5.10", "6.1", "6.6"]),
    ],
)
def test_who_has_it(column: str, has_it: list[str]) -> None:
    """Each of these came or went once."""
    assert [release.name for release in RELEASES if getattr(release, column)] == has_it


@pytest.mark.parametrize(
    ("column", "values"),
    [
        # tick_sched_timer() was renamed in 6.8.
        ("tick_function", ["tick_sched_timer"] * 4 + ["tick_nohz_handler"]),
        # EEVDF came with 6.6.
        ("fair", ["cfs"] * 3 + ["eevdf"] * 2),
        # The wake list moved from scheduler_ipi() to the function call IPI in 5.8.
        ("wake_list", ["reschedule", "always", "always", "idle", "idle"]),
    ],
)
def test_which_it_has(column: str, values: list[str]) -> None:
    """Source: kernel/time/tick-sched.c, kernel/sched/fair.c, kernel/sched/core.c."""
    assert [getattr(release, column) for release in RELEASES] == values


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_every_release_runs_a_little_of_everything(release: Release) -> None:
    """And on both architectures."""
    text = (
        timer("t", "raise_softirq BLOCK", expires="4ms")
        + task("a", ["run 5ms", "msleep 2ms", "syscall 1us"], cpu=0)
        + device("d", ["1ms", "2ms"], ["run 1us"], thread=["run 1us"])
    )
    for arch in ("arm64", "arm"):
        outcome = run(kernel(release=release.name) + text, f"machine.arch={arch}", rcu=True)
        assert len(outcome.of("irq_handler_entry")) == 2
        assert outcome.dmesg == []
        assert outcome.one("sched_process_exit").comm == "a"


@pytest.mark.parametrize(
    ("release", "letters"), [("4.19", "dnh."), ("5.10", "dNh."), ("6.1", "dNh..")]
)
def test_need_resched_is_n_until_it_is_folded(release: str, letters: str) -> None:
    """arm64 before 5.0 has no PREEMPT_NEED_RESCHED, and arm has none at all: `n`.

    Source: include/asm-generic/preempt.h, arch/arm64/include/asm/preempt.h.
    """
    text = task("f", ["schedule"], cpu=0, policy="fifo") + device(
        "d", ["1ms"], ["wake_up_process f"]
    )
    outcome = run(kernel(release=release) + text)
    assert outcome.of("sched_wakeup")[-1].letters == letters
    outcome = run(kernel(release=release) + text, "machine.arch=arm")
    assert outcome.of("sched_wakeup")[-1].letters == letters.replace("N", "n")
