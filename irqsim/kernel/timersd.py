"""The threads that do on PREEMPT_RT what elsewhere is done in interrupts.

ktimers/N runs the softirqs of timers, before all fair tasks; rcuc/N tells RCU of quiescent
states; irq_work/N calls the functions of irq_work.  What a hard interrupt raises besides is
left to ksoftirqd/N.

Source: kernel/rcu/tree.c: rcu_cpu_kthread; kernel/irq_work.c: run_irq_workd; of the RT patches:
kernel/softirq.c: timer_threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.events import TASK_INTERRUPTIBLE
from irqsim.kernel.sched import new_task, schedule, start_task
from irqsim.kernel.softirq import (
    RAISE,
    handle_softirqs,
    ksoftirqd_run_begin,
    ksoftirqd_run_end,
    local_bh_disable,
    local_bh_enable,
    wakeup_softirqd,
)
from irqsim.kernel.state import SCHED_FIFO, Cpu, Kernel, Path, Task
from irqsim.kernel.trace import trace
from irqsim.kernel.wakeup import wake_up_process

FIFO_LOW_PRIO: Final = 98
"""As traces print it: SCHED_FIFO 1 (sched_set_fifo_low())."""

# How far the pid of each thread is from ksoftirqd's, on CPU 0 and on the others.
_PIDS: Final = {"ktimers": (1, -1), "rcuc": (4, -2), "irq_work": (6, -4)}


def create_rt_threads(k: Kernel, cpu: Cpu) -> None:
    """Make the threads of one CPU; they sleep."""
    if k.release.has_ktimers:
        cpu.ktimersd = _create(k, cpu, "ktimers", run_timersd)
    cpu.rcuc = _create(k, cpu, "rcuc", run_rcuc)
    cpu.irq_workd = _create(k, cpu, "irq_work", run_irq_workd)


def _create(k: Kernel, cpu: Cpu, name: str, body: Callable[[Kernel, Cpu], Path]) -> Task:
    pid = cpu.ksoftirqd.pid + _PIDS[name][min(cpu.number, 1)]
    task = new_task(k, f"{name}/{cpu.number}", body(k, cpu), (cpu.number,), pid)
    task.policy, task.prio = SCHED_FIFO, FIFO_LOW_PRIO
    task.state = TASK_INTERRUPTIBLE
    task.is_per_cpu = True
    return task


def wake_softirq_threads(k: Kernel, cpu: Cpu) -> Path:
    """A hard interrupt has raised softirqs: ksoftirqd runs them, if nobody else is at it.

    Source: kernel/softirq.c: invoke_softirq, should_wake_ksoftirqd (CONFIG_PREEMPT_RT).
    """
    if not cpu.softirq_ctrl_cnt:
        yield from wakeup_softirqd(k, cpu)


def raise_timer_softirq(k: Kernel, cpu: Cpu, vec: int, depth: int = 0) -> None:
    """Mark TIMER or HRTIMER pending in a hard interrupt: for ktimers/N where there is one.

    `depth` is what the locks held there add to the preemption depth.
    Source: of the RT patches: kernel/softirq.c: raise_ktimers_thread.
    """
    trace(k, cpu, k.softirq_events[RAISE][vec], depth)
    if cpu.ktimersd is not None:
        cpu.pending_timer_softirq |= 1 << vec
    else:
        cpu.softirq_pending |= 1 << vec


def wake_timersd(k: Kernel, cpu: Cpu) -> Path:
    """Wake this CPU's ktimers, where there is one.

    Source: of the RT patches: kernel/softirq.c: wake_timersd, __irq_exit_rcu.
    """
    if cpu.ktimersd is not None:
        yield from wake_up_process(k, cpu, cpu.ktimersd)


def run_timersd(k: Kernel, cpu: Cpu) -> Path:
    """The code of ktimers/N: take over the timers' softirqs, and run all that are pending.

    Source: of the RT patches: kernel/softirq.c: run_timersd.
    """
    task = cpu.ktimersd
    assert task is not None
    yield from start_task(k, task)
    while True:
        if not cpu.pending_timer_softirq:
            task.state = TASK_INTERRUPTIBLE
            yield from schedule(k, cpu)
            continue
        yield from ksoftirqd_run_begin(k, cpu)
        cpu.softirq_pending |= cpu.pending_timer_softirq
        cpu.pending_timer_softirq = 0
        yield from handle_softirqs(k, cpu)
        yield from ksoftirqd_run_end(k, cpu)


def run_rcuc(k: Kernel, cpu: Cpu) -> Path:
    """The code of rcuc/N: report a quiescent state each time it is woken.

    It keeps bottom halves off meanwhile, so that what is pending runs here.
    Source: kernel/rcu/tree.c: rcu_cpu_kthread.
    """
    task = cpu.rcuc
    assert task is not None
    yield from start_task(k, task)
    while True:
        task.state = TASK_INTERRUPTIBLE
        yield from schedule(k, cpu)
        yield from local_bh_disable(k, cpu)
        yield k.cost.rcu_softirq
        yield from local_bh_enable(k, cpu)


def run_irq_workd(k: Kernel, cpu: Cpu) -> Path:
    """The code of irq_work/N: call the functions that need no hard interrupt.

    Source: kernel/irq_work.c: run_irq_workd.
    """
    task = cpu.irq_workd
    assert task is not None
    yield from start_task(k, task)
    while True:
        while cpu.irq_work_list:
            yield from cpu.irq_work_list.pop(0)(cpu)
        task.state = TASK_INTERRUPTIBLE
        yield from schedule(k, cpu)
