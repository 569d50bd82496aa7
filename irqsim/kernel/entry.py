"""From the vector to the flow handler, and back.

One path is one exception: the state is saved, irq_enter() counts the hard interrupt, the
root handler asks the controller what to serve, the line's flow handler serves it, irq_exit()
runs softirqs if this was the outermost context, and on the way back a task that should give
way does.

Source: arch/arm64/kernel/entry-common.c: el1_interrupt, el0_interrupt; arch/arm/kernel/
entry-armv.S: __irq_svc, __irq_usr; drivers/irqchip/irq-gic.c, irq-gic-v3.c: gic_handle_irq;
kernel/softirq.c: irq_enter_rcu, __irq_exit_rcu.
Differs: where a handler has slept, preempt_count is put right when its interrupt ends; a real
one falls below zero, and the CPU takes no interrupt for one any more.
"""

from __future__ import annotations

from collections.abc import Callable

from irqsim.kernel.cpuidle import leave_idle
from irqsim.kernel.irq.ipi import ipi_work
from irqsim.kernel.irq.root import FIRST_SPECIAL
from irqsim.kernel.preempt import HARDIRQ_OFFSET, IN_INTERRUPT_MASK, PREEMPT_OFFSET
from irqsim.kernel.sched import fold_need_resched, may_be_preempted, need_resched, schedule
from irqsim.kernel.softirq import (
    handle_softirqs,
    ksoftirqd_running,
    local_bh_disable,
    local_bh_enable,
    wakeup_softirqd,
)
from irqsim.kernel.state import Cpu, Kernel, Path, Task
from irqsim.kernel.tick import tick_irq_enter
from irqsim.kernel.timersd import wake_softirq_threads
from irqsim.kernel.trace import trace


def interrupt_path(k: Kernel) -> Callable[[Kernel, Cpu], Path]:
    """The path that an IRQ exception takes in this release."""
    return interrupt_before_5_16 if k.release.enters_each_irq else interrupt


def interrupt(k: Kernel, cpu: Cpu) -> Path:
    """One IRQ exception on `cpu`.  The processor has disabled interrupts."""
    task = cpu.current
    # The engine has put this path's frame on the stack already.
    from_user = task.in_user and len(cpu.frames) == 2
    if cpu.is_idling and k.release.idle_ends_with_irqs_off:
        leave_idle(k, cpu)
    count = cpu.preempt_count
    cpu.preempt_count = count + HARDIRQ_OFFSET
    if task is cpu.idle and len(cpu.frames) == 2:
        tick_irq_enter(k, cpu)
    yield k.cost.irq_entry

    gic = k.gic
    descs = k.domain.descs
    hwirq = gic.acknowledge(cpu)
    while hwirq < FIRST_SPECIAL:
        desc = descs[hwirq]
        yield from desc.handle_irq(k, cpu, desc)
        if k.recorded is not None:
            yield from k.recorded.after_handlers(cpu)
        if not gic.loops:
            break
        hwirq = gic.acknowledge(cpu)
        if hwirq < FIRST_SPECIAL:
            yield k.cost.irq_entry

    # What it was: also where a handler slept, which has set it to 0.
    cpu.preempt_count = count
    if (cpu.softirq_pending or cpu.pending_timer_softirq) and _may_run_softirqs(k, cpu):
        yield from _invoke_softirq(k, cpu)
    yield k.cost.irq_exit
    if cpu.tif_need_resched or cpu.tif_need_resched_lazy:
        yield from _give_way(k, cpu, from_user)


def interrupt_before_5_16(k: Kernel, cpu: Cpu) -> Path:
    """The same, where irq_enter() and irq_exit() are around each interrupt of an exception.

    Softirqs run after each of them; an IPI that is no interrupt of its own enters only for
    what it has to do.
    Source: kernel/irq/irqdesc.c: __handle_domain_irq; handle_IPI() of 4.19.
    """
    task = cpu.current
    from_user = task.in_user and len(cpu.frames) == 2
    yield k.cost.irq_entry
    gic = k.gic
    hwirq = gic.acknowledge(cpu)
    while hwirq < FIRST_SPECIAL:
        ipi = -1 if k.release.ipi_is_irq else gic.take_ipi(cpu, hwirq)
        if ipi >= 0:
            yield from _handle_ipi(k, cpu, ipi)
        else:
            count = _irq_enter(k, cpu)
            desc = k.domain.descs[hwirq]
            yield from desc.handle_irq(k, cpu, desc)
            yield from _irq_exit(k, cpu, count)
        if not gic.loops:
            break
        hwirq = gic.acknowledge(cpu)
        if hwirq < FIRST_SPECIAL:
            yield k.cost.irq_entry
    yield k.cost.irq_exit
    if cpu.tif_need_resched or cpu.tif_need_resched_lazy:
        yield from _give_way(k, cpu, from_user)


def _handle_ipi(k: Kernel, cpu: Cpu, number: int) -> Path:
    """An IPI without an irq_desc: no irq_handler lines, and no hard interrupt around its own.

    Source: arch/arm64/kernel/smp.c of 4.19: handle_IPI; kernel/sched/core.c: scheduler_ipi.
    """
    k.ipi.counts[number][cpu.number] += 1
    trace(k, cpu, k.ipi.entry[number])
    yield k.cost.irq_handler
    if number == k.ipi.reschedule:
        fold_need_resched(k, cpu)
    if number != k.ipi.reschedule or cpu.wake_list:
        count = _irq_enter(k, cpu)
        yield from ipi_work(k, cpu, number)
        yield from _irq_exit(k, cpu, count)
    trace(k, cpu, k.ipi.exit[number])


def _irq_enter(k: Kernel, cpu: Cpu) -> int:
    """What preempt_count was.  Source: kernel/softirq.c: irq_enter."""
    count = cpu.preempt_count
    cpu.preempt_count = count + HARDIRQ_OFFSET
    if cpu.current is cpu.idle and len(cpu.frames) == 2:
        tick_irq_enter(k, cpu)
    return count


def _irq_exit(k: Kernel, cpu: Cpu, count: int) -> Path:
    """`count`: what preempt_count was on entry.  Source: kernel/softirq.c: irq_exit."""
    cpu.preempt_count = count
    if (cpu.softirq_pending or cpu.pending_timer_softirq) and _may_run_softirqs(k, cpu):
        yield from _invoke_softirq(k, cpu)


def _may_run_softirqs(k: Kernel, cpu: Cpu) -> bool:
    """Whether this was the outermost interrupt, and no ksoftirqd is on its way.

    Source: kernel/softirq.c: __irq_exit_rcu, invoke_softirq.
    """
    if cpu.preempt_count & IN_INTERRUPT_MASK:
        return False
    return k.preempt_rt or not ksoftirqd_running(k, cpu)


def _invoke_softirq(k: Kernel, cpu: Cpu) -> Path:
    """Run what is pending, or leave it to the thread.

    Source: kernel/softirq.c: invoke_softirq.
    """
    if k.preempt_rt:
        return wake_softirq_threads(k, cpu)
    return wakeup_softirqd(k, cpu) if k.force_irqthreads else handle_softirqs(k, cpu)


def _give_way(k: Kernel, cpu: Cpu, from_user: bool) -> Path:
    """On the way back: to user mode always, inside the kernel where it may be preempted.

    Source: arch/arm64/kernel/entry-common.c: exit_to_user_mode, arm64_preempt_schedule_irq.
    """
    task = cpu.current
    if k.recorded is not None:
        k.recorded.end_wait(cpu)
        if k.recorded.gives_way(cpu):
            yield from schedule(k, cpu)
            return
    if from_user:
        yield from exit_to_user_mode(k, task)
        return
    while may_be_preempted(k, cpu):
        yield from _preempt_schedule_irq(k, cpu)
        cpu = k.cpus[task.cpu]


def exit_to_user_mode(k: Kernel, task: Task) -> Path:
    """What is left to do before a task goes on in user mode: give way if asked to; and load
    its floating-point registers where those of another task are, or on another CPU.

    arm64 does that with bottom halves off, so that softirqs that wait for ksoftirqd run there.
    Source: arch/arm64/kernel/entry-common.c: do_notify_resume; arch/arm64/kernel/fpsimd.c:
    fpsimd_thread_switch, fpsimd_restore_current_state.
    """
    while True:
        cpu = k.cpus[task.cpu]
        if need_resched(cpu):
            yield from schedule(k, cpu)
        elif _is_foreign_fpstate(k, cpu, task):
            cpu.fpsimd_last, task.fpsimd_cpu = task, task.cpu
            if not k.preempt_rt:
                # There preemption is enough, see get_cpu_fpsimd_context().
                yield from local_bh_disable(k, cpu)
                yield from local_bh_enable(k, cpu)
        else:
            return


def _is_foreign_fpstate(k: Kernel, cpu: Cpu, task: Task) -> bool:
    """TIF_FOREIGN_FPSTATE, which a switch sets; kernel threads have no such registers."""
    if k.arch != "arm64" or not task.has_mm:
        return False
    return cpu.fpsimd_last is not task or task.fpsimd_cpu != task.cpu


def _preempt_schedule_irq(k: Kernel, cpu: Cpu) -> Path:
    """Preempt what the interrupt came upon; other interrupts that wait are taken before that.

    Source: kernel/sched/core.c: preempt_schedule_irq.
    """
    cpu.preempt_count += PREEMPT_OFFSET
    cpu.irqs_disabled = False
    yield 0
    cpu.irqs_disabled = True
    cpu.preempt_count -= PREEMPT_OFFSET
    yield from schedule(k, cpu, preempt=True)
