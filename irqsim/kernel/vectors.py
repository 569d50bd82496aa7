"""The actions of vectors that have no list of their own.  Source: as each function says."""

from __future__ import annotations

from irqsim.kernel.state import Cpu, Kernel, Path


def run_rebalance_domains(k: Kernel, cpu: Cpu) -> Path:
    """SCHED: look whether CPUs are unevenly loaded, and say when to look again.

    Source: kernel/sched/fair.c: run_rebalance_domains, rebalance_domains (busy_factor 16).
    Differs: nothing is moved.
    """
    yield k.cost.sched_softirq
    interval = 1
    if cpu.current is not cpu.idle:
        interval = max(1, 16 * k.nr_online * k.hz // 1000)
    cpu.tick.next_balance = k.jiffies + interval


def rcu_core(k: Kernel, cpu: Cpu) -> Path:
    """RCU: report that this CPU has passed through a quiescent state.

    Source: kernel/rcu/tree.c: rcu_core.
    """
    yield k.cost.rcu_softirq


def no_action(k: Kernel, cpu: Cpu) -> Path:
    """A vector that nobody opened."""
    yield 0
