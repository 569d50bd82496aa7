"""PREEMPT_RT: random scenarios keep the laws, and no lock outlives them."""

from __future__ import annotations

import pytest
from attrs import evolve

from tests.runs import Run
from tests.strategies import spec_of_seed


def rt_run(seed: int) -> Run:
    """A random scenario on PREEMPT_RT."""
    spec = spec_of_seed(seed)
    return Run(evolve(spec, kernel=evolve(spec.kernel, preempt="rt")))


@pytest.mark.parametrize("seed", range(12))
def test_random_scenarios_keep_every_law(seed: int) -> None:
    """What holds elsewhere, and that softirqs run in tasks.  Source: softirq.c, rtmutex.c."""
    run = rt_run(seed)
    assert run.violations() == []
    assert {name: faults for name, faults in run.state_faults.items() if faults} == {}


@pytest.mark.parametrize("seed", range(12, 17))
def test_bottom_halves_belong_to_whom_the_cpu_says(seed: int) -> None:
    """softirq_ctrl.cnt is 0 unless a task holds the lock, or had them off where it cannot sleep.

    Source: kernel/softirq.c: __local_bh_disable_ip, __local_bh_enable (CONFIG_PREEMPT_RT).
    """
    for cpu in rt_run(seed).kernel.cpus:
        if cpu.softirq_ctrl_lock.owner is not None:
            assert cpu.softirq_ctrl_cnt


def test_a_timers_softirq_does_not_wait_for_the_next_interrupt() -> None:
    """ktimers is woken also by an interrupt that came upon a softirq: here one of a thread.

    Source: of the RT patches: kernel/softirq.c: __irq_exit_rcu.
    """
    assert Run(spec_of_seed(117)).violations() == []
