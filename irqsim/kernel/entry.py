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

from irqsim.kernel.cpuidle import leave_idle
from irqsim.kernel.exceptions import logging_exceptions
from irqsim.kernel.irq.ipi import ipi_work
from irqsim.kernel.irq.root import NO_IRQ, NmiChip
from irqsim.kernel.preempt import (
    HARDIRQ_MASK,
    HARDIRQ_OFFSET,
    IN_INTERRUPT_MASK,
    NMI_OFFSET,
    PREEMPT_OFFSET,
)
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
from irqsim.kernel.timersd import wake_softirq_threads, wake_timersd
from irqsim.kernel.trace import trace


def log_exceptions(k: Kernel, is_on: bool) -> None:
    """Choose the path that an IRQ exception takes in this release, and whether it says so."""
    path = interrupt_before_5_16 if k.release.enters_each_irq else interrupt
    k.interrupt = logging_exceptions(path) if is_on else path


def interrupt(k: Kernel, cpu: Cpu) -> Path:
    """One IRQ exception on `cpu`.  The processor has disabled interrupts."""
    task = cpu.current
    nmis = k.nmi_chip
    if nmis is not None and _comes_upon_irqs_off(cpu, nmis):
        yield from _nmi_from_irqs_off(k, cpu, nmis)
        return
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
    is_nmi = nmis is not None and nmis.has_nmi(cpu)
    hwirq = gic.acknowledge(cpu)
    if nmis is not None:
        if is_nmi:
            yield from _handle_nmi(k, cpu, hwirq)
            hwirq = NO_IRQ
        # PMR is now what masks interrupts, and NMIs come through again.
        cpu.psr_i = False
        yield 0
    while hwirq < NO_IRQ:
        desc = descs.get(hwirq)
        if desc is not None:
            yield from desc.handle_irq(k, cpu, desc)
        else:
            gic.unexpected(k, cpu, hwirq)
        if k.recorded is not None:
            yield from k.recorded.after_handlers(cpu)
        if not gic.loops:
            break
        hwirq = gic.acknowledge(cpu)
        if hwirq < NO_IRQ:
            yield k.cost.irq_entry

    # What it was: also where a handler slept, which has set it to 0.
    cpu.preempt_count = count
    if cpu.softirq_pending and _may_run_softirqs(k, cpu):
        yield from _invoke_softirq(k, cpu)
    if cpu.pending_timer_softirq and not cpu.preempt_count & HARDIRQ_MASK:
        # Also where it came upon a softirq.
        yield from wake_timersd(k, cpu)
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
    nmis = k.nmi_chip
    if nmis is not None and _comes_upon_irqs_off(cpu, nmis):
        yield from _nmi_from_irqs_off(k, cpu, nmis)
        return
    yield k.cost.irq_entry
    gic = k.gic
    is_nmi = nmis is not None and nmis.has_nmi(cpu)
    hwirq = gic.acknowledge(cpu)
    if is_nmi:
        # DAIF stays as it is up to the end, and forbids to preempt what was interrupted.
        yield from _handle_nmi(k, cpu, hwirq)
        yield k.cost.irq_exit
        if from_user and (cpu.tif_need_resched or cpu.tif_need_resched_lazy):
            cpu.psr_i = False
            yield from _give_way(k, cpu, from_user)
        return
    if nmis is not None:
        cpu.psr_i = False
        yield 0
    while hwirq < NO_IRQ:
        ipi = -1 if k.release.ipi_is_irq else gic.take_ipi(cpu, hwirq)
        if ipi >= 0:
            yield from _handle_ipi(k, cpu, ipi)
        else:
            count = _irq_enter(k, cpu)
            desc = k.domain.descs.get(hwirq)
            if desc is not None:
                yield from desc.handle_irq(k, cpu, desc)
            else:
                gic.unexpected(k, cpu, hwirq)
            yield from _irq_exit(k, cpu, count)
        if not gic.loops:
            break
        hwirq = gic.acknowledge(cpu)
        if hwirq < NO_IRQ:
            yield k.cost.irq_entry
    yield k.cost.irq_exit
    if cpu.tif_need_resched or cpu.tif_need_resched_lazy:
        yield from _give_way(k, cpu, from_user)


def _comes_upon_irqs_off(cpu: Cpu, nmis: NmiChip) -> bool:
    """Whether an exception came upon code with interrupts off, as only an NMI can.

    A CPU that waits for an interrupt does so with interrupts off: NMIs come before these are on.
    Source: arch/arm64/include/asm/cpuidle.h: arm_cpuidle_restore_irq_context.
    """
    waits = cpu.is_idling and len(cpu.frames) == 2
    return cpu.frame.irqs_disabled or (waits and nmis.has_nmi(cpu))


def _nmi_from_irqs_off(k: Kernel, cpu: Cpu, nmis: NmiChip) -> Path:
    """A pseudo-NMI where interrupts are off: nothing is entered but the NMI itself.

    No softirqs run at its end, and nobody gives way.  PMR keeps what is no NMI from being
    acknowledged, where the NMI has gone away meanwhile.
    Source: arch/arm64/kernel/entry-common.c: __el1_pnmi; drivers/irqchip/irq-gic-v3.c:
    __gic_handle_irq_from_irqsoff.
    """
    yield k.cost.irq_entry
    if nmis.has_nmi(cpu):
        yield from _handle_nmi(k, cpu, k.gic.acknowledge(cpu))
    yield k.cost.irq_exit


def _handle_nmi(k: Kernel, cpu: Cpu, hwirq: int) -> Path:
    """Source: include/linux/hardirq.h: nmi_enter; irq-gic-v3.c: __gic_handle_nmi."""
    cpu.preempt_count += NMI_OFFSET + HARDIRQ_OFFSET
    desc = k.domain.descs.get(hwirq)
    if desc is not None:
        yield from desc.handle_irq(k, cpu, desc)
    else:
        k.gic.unexpected(k, cpu, hwirq)
    cpu.preempt_count -= NMI_OFFSET + HARDIRQ_OFFSET


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
    if cpu.softirq_pending and _may_run_softirqs(k, cpu):
        yield from _invoke_softirq(k, cpu)
    if cpu.pending_timer_softirq and not cpu.preempt_count & HARDIRQ_MASK:
        # Also where it came upon a softirq.
        yield from wake_timersd(k, cpu)


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
