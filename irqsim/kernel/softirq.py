"""Softirqs and tasklets.

Theory of operation.  A vector is raised by setting its bit in the CPU's own pending word and
runs on that CPU: at the end of the hard interrupt that raised it (unless that interrupted a
softirq or a section with bottom halves disabled), where bottom halves are enabled again, or
in ksoftirqd/N.  The loop takes the pending word as a snapshot, clears it, enables interrupts
and runs the vectors of the snapshot from bit 0 up.  What is raised meanwhile waits for the
next pass.  Three limits end it: the number of passes, a time counted in jiffies, and
need_resched; what is then left, ksoftirqd does as a task among tasks.

An interrupt can land between enabling interrupts and the first softirq_entry: it shows `H`
though no softirq has begun.

Tasklets are the work of two vectors, HI and TASKLET.  A tasklet is queued on the CPU that
schedules it, once; it never runs on two CPUs at once, and one that is busy elsewhere or
disabled is queued again, so that its vector turns until it may run.

Source: kernel/softirq.c: raise_softirq, __do_softirq (handle_softirqs since 6.10),
invoke_softirq, run_ksoftirqd, __local_bh_enable_ip, tasklet_action_common.
Differs: lockdep and vtime accounting are left out; BH workqueues (6.9 and later) do not
exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.events import (
    TASK_INTERRUPTIBLE,
    TASK_RUNNING,
    TASK_UNINTERRUPTIBLE,
    TASKLET_ENTRY,
    TASKLET_EXIT,
    Event,
)
from irqsim.kernel.atomic import preempt_count_leak
from irqsim.kernel.preempt import (
    IN_INTERRUPT_MASK,
    PREEMPT_OFFSET,
    SOFTIRQ_DISABLE_OFFSET,
    SOFTIRQ_OFFSET,
    in_hardirq,
)
from irqsim.kernel.printk import KERN_WARNING, printk, warn_once
from irqsim.kernel.sched import (
    cond_resched,
    might_sleep,
    need_resched,
    preempt_check_resched,
    schedule,
    start_task,
)
from irqsim.kernel.softirq_ctrl import bh_disable_rt, bh_enable_rt, is_preemptible
from irqsim.kernel.spin import spin_until
from irqsim.kernel.state import Cpu, Kernel, Path, Task
from irqsim.kernel.trace import trace
from irqsim.kernel.wakeup import wake_up_process

HI_SOFTIRQ: Final = 0
TIMER_SOFTIRQ: Final = 1
NET_TX_SOFTIRQ: Final = 2
NET_RX_SOFTIRQ: Final = 3
BLOCK_SOFTIRQ: Final = 4
IRQ_POLL_SOFTIRQ: Final = 5
TASKLET_SOFTIRQ: Final = 6
SCHED_SOFTIRQ: Final = 7
HRTIMER_SOFTIRQ: Final = 8
RCU_SOFTIRQ: Final = 9
NR_SOFTIRQS: Final = 10

SOFTIRQ_NOW_MASK: Final = 1 << HI_SOFTIRQ | 1 << TASKLET_SOFTIRQ
"""Vectors that do not wait for a ksoftirqd that is runnable (since 4.17)."""

# Indices into Kernel.softirq_events.
RAISE: Final = 0
_ENTRY: Final = 1
_EXIT: Final = 2


# -- raising -----------------------------------------------------------------------------


def raise_softirq_no_wake(k: Kernel, cpu: Cpu, vec: int) -> None:
    """__raise_softirq_irqoff(): mark a vector pending; interrupts are off."""
    trace(k, cpu, k.softirq_events[RAISE][vec])
    cpu.softirq_pending |= 1 << vec


def raise_softirq(k: Kernel, cpu: Cpu, vec: int) -> Path:
    """Mark a vector pending; outside of interrupts, wake the thread that will run it.

    Source: kernel/softirq.c: raise_softirq, raise_softirq_irqoff.
    """
    saved = cpu.irqs_disabled
    cpu.irqs_disabled = True
    trace(k, cpu, k.softirq_events[RAISE][vec])
    cpu.softirq_pending |= 1 << vec
    if not cpu.preempt_count & IN_INTERRUPT_MASK and not cpu.softirq_ctrl_cnt:
        yield from wakeup_softirqd(k, cpu)
    if k.cost.softirq_raise:
        yield k.cost.softirq_raise
    cpu.irqs_disabled = saved
    if not saved:
        yield 0


def wakeup_softirqd(k: Kernel, cpu: Cpu) -> Path:
    """Wake this CPU's ksoftirqd, if it sleeps.  Source: kernel/softirq.c: wakeup_softirqd."""
    yield from wake_up_process(k, cpu, cpu.ksoftirqd)


# -- running -----------------------------------------------------------------------------


def ksoftirqd_running(k: Kernel, cpu: Cpu) -> bool:
    """Whether softirqs are left to a ksoftirqd that is on its way.

    Source: kernel/softirq.c: ksoftirqd_running.
    """
    if not k.release.ksoftirqd_defers or cpu.softirq_pending & SOFTIRQ_NOW_MASK:
        return False
    return cpu.ksoftirqd.state == TASK_RUNNING


def handle_softirqs(k: Kernel, cpu: Cpu) -> Path:
    """Run what is pending, pass after pass, within the limits.  Interrupts are off.

    Source: kernel/softirq.c: __do_softirq; handle_softirqs since 6.10.
    """
    cost_ns = k.cost.softirq_entry
    end = k.jiffies + -(-k.softirq_time_ns // k.tick_ns)
    passes = k.softirq_restart
    entry, exit_ = k.softirq_events[_ENTRY], k.softirq_events[_EXIT]
    actions, counts = k.softirq_vec, cpu.kstat_softirqs
    pending = cpu.softirq_pending
    # On PREEMPT_RT the caller has it already, with the lock that goes with it.
    offset = 0 if k.preempt_rt else SOFTIRQ_OFFSET
    cpu.preempt_count += offset
    while True:
        cpu.softirq_pending = 0
        cpu.irqs_disabled = False
        while pending:
            vec = (pending & -pending).bit_length() - 1
            pending &= pending - 1
            if k.recorded is not None:
                cost_ns = k.recorded.softirq_delay(k, cpu, vec, k.cost.softirq_entry)
            yield cost_ns
            counts[vec] += 1
            trace(k, cpu, entry[vec])
            count = cpu.preempt_count
            yield from actions[vec](k, cpu)
            trace(k, cpu, exit_[vec])
            if cpu.preempt_count != count:
                preempt_count_leak(k, cpu, vec, count)
        cpu.irqs_disabled = True
        pending = cpu.softirq_pending
        if not pending:
            break
        passes -= 1
        goes_on = k.jiffies < end and not need_resched(cpu)
        if k.recorded is not None and cpu.current is not cpu.ksoftirqd:
            goes_on = k.recorded.goes_on(cpu, goes_on)
        if goes_on and passes > 0:
            continue
        yield from wakeup_softirqd(k, cpu)
        break
    cpu.preempt_count -= offset


def do_softirq(k: Kernel, cpu: Cpu) -> Path:
    """Run softirqs from process context, unless ksoftirqd is on its way.

    Source: kernel/softirq.c: do_softirq.
    """
    if cpu.softirq_pending and not ksoftirqd_running(k, cpu):
        saved, cpu.irqs_disabled = cpu.irqs_disabled, True
        yield from handle_softirqs(k, cpu)
        cpu.irqs_disabled = saved
        yield 0


def run_ksoftirqd(k: Kernel, cpu: Cpu) -> Path:
    """The code of ksoftirqd/N: run softirqs while there are any, then sleep.

    Each turn has limits of its own; waking itself at their end is no event, since it runs.
    Source: kernel/softirq.c: run_ksoftirqd; kernel/smpboot.c: smpboot_thread_fn.
    """
    task = cpu.ksoftirqd
    yield from start_task(k, task)
    while True:
        if k.recorded is not None:
            yield from k.recorded.before_softirqs(cpu)
        if not cpu.softirq_pending:
            task.state = TASK_INTERRUPTIBLE
            yield from schedule(k, cpu)
            continue
        yield from ksoftirqd_run_begin(k, cpu)
        if cpu.softirq_pending:
            yield from handle_softirqs(k, cpu)
        yield from ksoftirqd_run_end(k, cpu)
        if k.recorded is not None and (not cpu.softirq_pending or cpu.tif_need_resched):
            yield from k.recorded.after_softirqs(cpu)
        yield from cond_resched(k, cpu)


def ksoftirqd_run_begin(k: Kernel, cpu: Cpu) -> Path:
    """Interrupts off; on PREEMPT_RT this is also where softirqs begin to be served.

    Source: kernel/softirq.c: ksoftirqd_run_begin.
    """
    if k.preempt_rt:
        yield from bh_disable_rt(k, cpu, SOFTIRQ_OFFSET)
    cpu.irqs_disabled = True


def ksoftirqd_run_end(k: Kernel, cpu: Cpu) -> Path:
    """Undo ksoftirqd_run_begin()."""
    if k.preempt_rt:
        yield from bh_enable_rt(k, cpu, SOFTIRQ_OFFSET, True)
    cpu.irqs_disabled = False
    yield 0


# -- bottom halves off -------------------------------------------------------------------


def local_bh_disable(k: Kernel, cpu: Cpu) -> Path:
    """Keep softirqs from running on this CPU; on PREEMPT_RT wait until nobody else does.

    Source: include/linux/bottom_half.h.
    """
    if k.preempt_rt:
        yield from bh_disable_rt(k, cpu, SOFTIRQ_DISABLE_OFFSET)
    else:
        cpu.preempt_count += SOFTIRQ_DISABLE_OFFSET


def local_bh_enable(k: Kernel, cpu: Cpu) -> Path:
    """Let softirqs run again; at the outermost level run what has come meanwhile.

    One count of preempt_disable() is kept until they are done, on every kernel.
    Source: kernel/softirq.c: __local_bh_enable_ip.
    """
    if k.preempt_rt:
        yield from _local_bh_enable_rt(k, cpu)
        return
    if in_hardirq(cpu.preempt_count):
        warn_once(k, cpu, "kernel/softirq.c __local_bh_enable_ip")
    cpu.preempt_count -= SOFTIRQ_DISABLE_OFFSET - PREEMPT_OFFSET
    if cpu.softirq_pending and not cpu.preempt_count & IN_INTERRUPT_MASK:
        yield from do_softirq(k, cpu)
    cpu.preempt_count -= PREEMPT_OFFSET
    yield from preempt_check_resched(k, cpu)


def _local_bh_enable_rt(k: Kernel, cpu: Cpu) -> Path:
    """At the outermost level run what is pending, still under the lock.

    Where the task cannot be preempted, softirqs are left to ksoftirqd.  There is no look at
    need_resched at the end: interrupts are off up to there.
    Source: kernel/softirq.c: __local_bh_enable_ip (CONFIG_PREEMPT_RT).
    """
    is_on = is_preemptible(k, cpu)
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    count = SOFTIRQ_DISABLE_OFFSET
    if cpu.softirq_ctrl_cnt == count and cpu.softirq_pending:
        if is_on:
            # What is left says that softirqs are being served.
            count = SOFTIRQ_OFFSET
            cpu.preempt_count -= count
            cpu.softirq_ctrl_cnt -= count
            yield from handle_softirqs(k, cpu)
        else:
            yield from wakeup_softirqd(k, cpu)
    yield from bh_enable_rt(k, cpu, count, is_on)
    cpu.irqs_disabled = saved
    yield 0


# -- tasklets ----------------------------------------------------------------------------


class Tasklet:
    """A tasklet_struct.  Changed by the functions below only."""

    __slots__ = (
        "count", "cpu", "entry_event", "exit_event", "function", "is_running", "name", "sched",
        "waiters",
    )  # fmt: skip

    name: str
    function: Callable[[Kernel, Cpu], Path]
    entry_event: Event
    exit_event: Event
    sched: bool
    """TASKLET_STATE_SCHED: queued somewhere."""
    is_running: bool
    """TASKLET_STATE_RUN: some CPU holds it."""
    cpu: int
    """The last that did."""
    count: int
    """How often it is disabled."""
    waiters: list[Task]
    """Who sleeps until it does not run."""

    def __init__(
        self,
        k: Kernel,
        name: str,
        symbol: str,
        function: Callable[[Kernel, Cpu], Path],
        disabled: bool,
    ) -> None:
        """`symbol` is the name of its function; the structure's own is made from it."""
        self.name = name
        self.function = function
        self.entry_event = k.events.intern(TASKLET_ENTRY, f"{symbol}_tasklet", symbol)
        self.exit_event = k.events.intern(TASKLET_EXIT, f"{symbol}_tasklet", symbol)
        self.sched = False
        self.is_running = False
        self.cpu = -1
        self.count = 1 if disabled else 0
        self.waiters = []


def tasklet_schedule(k: Kernel, cpu: Cpu, tasklet: Tasklet, vec: int) -> Path:
    """Queue a tasklet on this CPU; one that is queued already stays where it is.

    `vec` is TASKLET_SOFTIRQ or HI_SOFTIRQ.  Source: kernel/softirq.c: __tasklet_schedule_common.
    """
    if tasklet.sched:
        return
    tasklet.sched = True
    _queue_of(cpu, vec).append(tasklet)
    yield from raise_softirq(k, cpu, vec)


def tasklet_disable(k: Kernel, cpu: Cpu, tasklet: Tasklet) -> Path:
    """Keep a tasklet from running, and wait until it does not: asleep where that is allowed
    (since 5.13), by looking again and again elsewhere, as tasklet_disable_in_atomic() does.

    Source: include/linux/interrupt.h: tasklet_disable; kernel/softirq.c: tasklet_unlock_wait.
    """
    tasklet.count += 1
    if k.release.tasklet_disable_sleeps and not cpu.preempt_count and not cpu.irqs_disabled:
        task = cpu.current
        yield from might_sleep(k, cpu, "kernel/softirq.c")
        while tasklet.is_running:
            tasklet.waiters.append(task)
            task.state = TASK_UNINTERRUPTIBLE
            yield from schedule(k, k.cpus[task.cpu])
        return
    what = f"tasklet {tasklet.name!r} to end"
    in_vain = tasklet.cpu == cpu.number and not k.preempt_rt
    yield from spin_until(k, cpu, lambda: not tasklet.is_running, what, in_vain)


def tasklet_enable(k: Kernel, cpu: Cpu, tasklet: Tasklet) -> None:
    """Undo one tasklet_disable().  Source: include/linux/interrupt.h."""
    tasklet.count -= 1


def tasklet_kill(k: Kernel, cpu: Cpu, tasklet: Tasklet) -> Path:
    """Wait until a tasklet is neither queued nor running, and keep it from being queued.

    Source: kernel/softirq.c: tasklet_kill.
    """
    if cpu.preempt_count & IN_INTERRUPT_MASK:
        printk(k, KERN_WARNING, "Attempt to kill tasklet from interrupt")
    what = f"tasklet {tasklet.name!r} to end"
    task = cpu.current

    def is_over() -> bool:
        return not tasklet.sched or need_resched(k.cpus[task.cpu])

    while tasklet.sched:
        yield from spin_until(k, cpu, is_over, what)
        yield from cond_resched(k, k.cpus[task.cpu])
    tasklet.sched = True
    cpu = k.cpus[task.cpu]
    in_vain = tasklet.cpu == cpu.number and not k.preempt_rt
    yield from spin_until(k, cpu, lambda: not tasklet.is_running, what, in_vain)
    tasklet.sched = False


def tasklet_action(k: Kernel, cpu: Cpu) -> Path:
    """The action of TASKLET."""
    yield from _tasklet_action_common(k, cpu, TASKLET_SOFTIRQ)


def tasklet_hi_action(k: Kernel, cpu: Cpu) -> Path:
    """The action of HI."""
    yield from _tasklet_action_common(k, cpu, HI_SOFTIRQ)


def _tasklet_action_common(k: Kernel, cpu: Cpu, vec: int) -> Path:
    """Run each tasklet of this CPU's list once, in the order in which they were queued.

    Source: kernel/softirq.c: tasklet_action_common.
    """
    queue = _queue_of(cpu, vec)
    batch = queue[:]
    del queue[:]
    for tasklet in batch:
        if k.cost.tasklet_entry:
            yield k.cost.tasklet_entry
        if not tasklet.is_running and not tasklet.count:
            tasklet.is_running, tasklet.cpu = True, cpu.number
            # Cleared before it runs, so that it can be scheduled from then on.
            tasklet.sched = False
            trace(k, cpu, tasklet.entry_event)
            yield from tasklet.function(k, cpu)
            trace(k, cpu, tasklet.exit_event)
            tasklet.is_running = False
            while tasklet.waiters:
                yield from wake_up_process(k, cpu, tasklet.waiters.pop(0))
            continue
        cpu.irqs_disabled = True
        queue.append(tasklet)
        raise_softirq_no_wake(k, cpu, vec)
        cpu.irqs_disabled = False
        yield k.cost.softirq_raise


def takeover_tasklets(k: Kernel, cpu: Cpu, dead: Cpu) -> Path:
    """Queue on `cpu`, which runs this, the tasklets of a dead CPU.

    Both vectors are raised whether there are any or not.
    Source: kernel/softirq.c: takeover_tasklets.
    """
    for vec in (TASKLET_SOFTIRQ, HI_SOFTIRQ):
        queue = _queue_of(dead, vec)
        _queue_of(cpu, vec).extend(queue)
        queue.clear()
        yield from raise_softirq(k, cpu, vec)


def _queue_of(cpu: Cpu, vec: int) -> list[Tasklet]:
    return cpu.tasklet_hi_vec if vec == HI_SOFTIRQ else cpu.tasklet_vec
