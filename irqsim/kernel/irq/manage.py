"""Drivers' calls: request, free, enable, disable, affinity, synchronize.

Source: kernel/irq/manage.c.
"""

from __future__ import annotations

from collections.abc import Callable

from irqsim.events import TASK_UNINTERRUPTIBLE
from irqsim.kernel.irq.irqdesc import (
    IRQS_ONESHOT,
    IRQS_SPURIOUS_DISABLED,
    IRQS_STORM,
    IRQS_WAITING,
    IrqAction,
    IrqDesc,
)
from irqsim.kernel.irq.mask import mask_irq, unmask_irq
from irqsim.kernel.irq.request import ExistingAction, Line, Refusal, Request, check_request
from irqsim.kernel.irq.resend import check_irq_resend
from irqsim.kernel.irq.settings import (
    IRQF_NO_AUTOEN,
    IRQF_NO_THREAD,
    IRQF_NOBALANCING,
    IRQF_ONESHOT,
    IRQF_PERCPU,
    IRQF_SHARED,
    RELEASES_WITH_COND_ONESHOT,
)
from irqsim.kernel.irq.thread import (
    irq_set_thread_affinity,
    irq_setup_forced_threading,
    setup_irq_thread,
)
from irqsim.kernel.lockup import never_wakes
from irqsim.kernel.preempt import in_interrupt
from irqsim.kernel.printk import KERN_ERR, printk, warn, warn_once
from irqsim.kernel.sched import schedule
from irqsim.kernel.spin import spin_until
from irqsim.kernel.state import Cpu, Kernel, Path, Task
from irqsim.kernel.wakeup import wake_up_process


def setup_irq(
    k: Kernel, desc: IrqDesc, action: IrqAction, is_level: bool, has_handler: bool = True
) -> Refusal | None:
    """Install an action; the first one on a line also configures and starts the line.

    `has_handler` False: the driver gave NULL, and the action has the default primary handler.
    Returns what the kernel refuses and why; the line is then as it was.
    Source: kernel/irq/manage.c: request_threaded_irq, __setup_irq.
    """
    is_level = is_level and desc.chip.has_set_type
    granted = check_request(
        Request(
            action.name,
            action.flags,
            is_level,
            has_handler=has_handler,
            has_thread=action.thread_fn is not None,
        ),
        [ExistingAction(each.name, each.flags, desc.is_level) for each in desc.actions],
        Line(
            str(desc.irq),
            is_per_cpu_devid=desc.percpu,
            is_chained=desc.is_chained,
            is_nested=desc.is_nested,
            is_oneshot_safe=desc.is_msi,
        ),
        bits_per_long=32 if k.arch == "arm" else 64,
        has_cond_oneshot=k.release.name in RELEASES_WITH_COND_ONESHOT,
        force_irqthreads=k.force_irqthreads,
    )
    if isinstance(granted, Refusal):
        if granted.log:
            printk(k, KERN_ERR, granted.log)
        return granted
    if k.force_irqthreads and has_handler and not (desc.percpu or desc.is_nested):
        irq_setup_forced_threading(k, action)
    action.flags = granted.flags
    desc.requested = True
    if not desc.actions:
        _start_line(k, desc, action, is_level)
    if action.thread_fn is not None and not desc.is_nested:
        setup_irq_thread(k, desc, action)
    desc.actions = (*desc.actions, action)
    desc.irq_count = desc.irqs_unhandled = 0
    if len(desc.actions) > 1 and desc.istate & IRQS_SPURIOUS_DISABLED:
        desc.istate &= ~IRQS_SPURIOUS_DISABLED
        _enable_irq(k, desc)
    return None


def request_nmi(
    k: Kernel,
    desc: IrqDesc,
    action: IrqAction,
    is_level: bool,
    flow: Callable[[Kernel, Cpu, IrqDesc], Path],
) -> None:
    """Install the handler of a pseudo-NMI and enable it, as its driver does at once.

    The scenario's reader has asked whether the kernel would refuse it.
    Source: kernel/irq/manage.c: request_nmi, enable_nmi; request_percpu_nmi.
    """
    assert k.nmi_chip is not None and not desc.actions
    desc.requested = desc.is_nmi = True
    action.flags |= IRQF_NO_THREAD | IRQF_NOBALANCING | IRQF_PERCPU
    k.nmi_chip.irq_nmi_setup(desc)
    desc.handle_irq = flow
    desc.actions = (action,)
    _start_line(k, desc, action, is_level)


def _start_line(k: Kernel, desc: IrqDesc, action: IrqAction, is_level: bool) -> None:
    desc.is_level = is_level
    if desc.percpu:
        for cpu in k.cpus:
            if cpu.is_online:
                k.gic.enable_percpu(desc, cpu.number)
        desc.depth = 0
        desc.irqs_disabled = desc.masked = False
        return
    desc.chip.irq_set_type(desc, desc.is_level)
    desc.istate &= ~(IRQS_SPURIOUS_DISABLED | IRQS_ONESHOT | IRQS_WAITING | IRQS_STORM)
    desc.inprogress = False
    if action.flags & IRQF_ONESHOT:
        desc.istate |= IRQS_ONESHOT
    if action.flags & (IRQF_PERCPU | IRQF_NOBALANCING):
        desc.no_balancing = True
    _setup_affinity(k, desc)
    if action.flags & IRQF_NO_AUTOEN:
        desc.depth = 1
        return
    desc.depth = 0
    desc.irqs_disabled = False
    unmask_irq(desc)
    check_irq_resend(k, desc)


def irq_set_chained_handler(
    k: Kernel, desc: IrqDesc, handle: Callable[[Kernel, Cpu, IrqDesc], Path]
) -> None:
    """Make a line another controller's own, and start it; it is level-sensitive.

    Source: kernel/irq/chip.c: __irq_do_set_handler.
    """
    desc.handle_irq, desc.is_chained = handle, True
    desc.is_level = desc.chip.has_set_type
    desc.depth = 0
    desc.irqs_disabled = False
    if desc.percpu:
        return
    desc.chip.irq_set_type(desc, desc.is_level)
    _setup_affinity(k, desc)
    unmask_irq(desc)


def free_irq(k: Kernel, cpu: Cpu, desc: IrqDesc, dev_id: int) -> Path:
    """Take an action off its line; the last one shuts the line down.

    Waits until no handler of the line runs, and for the end of the action's threads.
    Source: kernel/irq/manage.c: __free_irq.
    """
    where = "kernel/irq/manage.c free_irq"
    if desc.percpu:
        warn(k, cpu, where, f"Trying to free IRQ {desc.irq}, which is a per-CPU one")
        return
    if in_interrupt(cpu.preempt_count):
        warn(k, cpu, where, f"Trying to free IRQ {desc.irq} from IRQ context!")
    remaining = tuple(action for action in desc.actions if action.dev_id != dev_id)
    freed = [action for action in desc.actions if action.dev_id == dev_id]
    if not freed:
        warn(k, cpu, where, f"Trying to free already-free IRQ {desc.irq}")
        return
    desc.actions = remaining
    if not remaining:
        desc.depth = 1
        desc.irqs_disabled = True
        mask_irq(desc)
    yield from _wait_for_inprogress(k, cpu, desc)
    for action in (freed[0], freed[0].secondary):
        if action is not None and action.thread is not None:
            yield from _kthread_stop(k, cpu.current, action, action.thread)


def _kthread_stop(k: Kernel, task: Task, action: IrqAction, thread: Task) -> Path:
    """Have an action's thread end, and wait until it has.

    Source: kernel/kthread.c: kthread_stop.
    """
    action.is_stopped = True
    action.stopper = task
    yield from wake_up_process(k, k.cpus[task.cpu], thread)
    if thread is task:
        never_wakes(k, task, "its own end, in free_irq()")
    while not action.has_ended:
        task.state = TASK_UNINTERRUPTIBLE
        yield from schedule(k, k.cpus[task.cpu])


def synchronize_irq(k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
    """Wait until no handler and no thread of the line runs, on any CPU.

    Called by the line's own handler or thread it never returns, as in the kernel.
    Source: kernel/irq/manage.c: synchronize_irq.
    """
    yield from _wait_for_inprogress(k, cpu, desc)
    task = cpu.current
    if desc.threads_active and any(task is action.thread for action in desc.actions):
        never_wakes(k, task, f"its own end, in synchronize_irq() of irq {desc.irq}")
    while desc.threads_active:
        task.state = TASK_UNINTERRUPTIBLE
        desc.wait_for_threads.append(task)
        yield from schedule(k, k.cpus[task.cpu])


def _wait_for_inprogress(k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
    """Source: kernel/irq/manage.c: __synchronize_hardirq."""
    what = f"the handlers of irq {desc.irq} to return"
    in_vain = desc.inprogress_cpu == cpu.number
    yield from spin_until(k, cpu, lambda: not desc.inprogress, what, in_vain)


def disable_irq_nosync(desc: IrqDesc) -> None:
    """Disable a line, once more; it stays unmasked until it next fires (lazy disabling).

    A per-CPU line is not there for this call.
    Source: kernel/irq/manage.c: __disable_irq; kernel/irq/chip.c: irq_disable.
    """
    if desc.percpu:
        return
    desc.depth += 1
    desc.irqs_disabled = True


def enable_irq(k: Kernel, cpu: Cpu, desc: IrqDesc) -> None:
    """Undo one disable_irq(); at the last, what came meanwhile is replayed once.

    Source: kernel/irq/manage.c: enable_irq, __enable_irq.
    """
    if desc.percpu:
        return
    if desc.depth == 0:
        warn(
            k,
            cpu,
            "kernel/irq/manage.c __enable_irq",
            f"Unbalanced enable for IRQ {desc.irq}",
        )
        return
    if desc.depth == 1 and not desc.actions:
        # Nobody has activated a line that nobody has requested; it is started all the same.
        warn_once(k, cpu, "kernel/irq/chip.c __irq_startup")
    _enable_irq(k, desc)


def _enable_irq(k: Kernel, desc: IrqDesc) -> None:
    desc.depth -= 1
    if desc.depth == 0:
        desc.irqs_disabled = False
        unmask_irq(desc)
        check_irq_resend(k, desc)


def online_of(k: Kernel, cpus: tuple[int, ...]) -> tuple[int, ...]:
    """Those of some CPUs that are online."""
    if k.nr_online == len(k.cpus):
        return cpus
    return tuple(number for number in cpus if k.cpus[number].is_online)


def _setup_affinity(k: Kernel, desc: IrqDesc) -> None:
    """Choose where a line is served that starts: where its affinity says, or the default one.

    An affinity without a CPU that is online is forgotten.
    Source: kernel/irq/manage.c: irq_setup_affinity.
    """
    if not desc.chip.has_set_affinity:
        return
    desc.affinity_set = desc.affinity_set and bool(online_of(k, desc.affinity))
    cpus = online_of(k, desc.affinity if desc.affinity_set else k.irq_default_affinity)
    set_affinity(k, desc, cpus or online_of(k, tuple(range(len(k.cpus)))))


def set_affinity(k: Kernel, desc: IrqDesc, cpus: tuple[int, ...]) -> None:
    """Set a line's affinity, and route it to the first of these CPUs that is online.

    Source: kernel/irq/manage.c: irq_do_set_affinity; drivers/irqchip/irq-gic-v3.c:
    gic_set_affinity.
    """
    desc.affinity = cpus
    desc.effective_cpu = desc.chip.irq_select_cpu(desc, online_of(k, cpus))
    if not desc.percpu:
        desc.chip.irq_set_affinity(desc, desc.effective_cpu)


def irq_set_affinity(k: Kernel, desc: IrqDesc, cpus: tuple[int, ...]) -> list[Task]:
    """Move a line to other CPUs, at once: what is pending moves along.

    `cpus` are ascending and exist; with none of them online, or a chip that cannot, nothing is
    changed (-EINVAL).
    Returns the threads that are to be woken for it.
    Source: kernel/irq/manage.c: irq_set_affinity_locked, irq_do_set_affinity.
    """
    if not online_of(k, cpus) or not desc.chip.has_set_affinity:
        return []
    desc.affinity_set = True
    set_affinity(k, desc, cpus)
    return irq_set_thread_affinity(k, desc)


def is_shared(desc: IrqDesc) -> bool:
    """Whether the line's first action allows others beside it."""
    return bool(desc.actions) and bool(desc.actions[0].flags & IRQF_SHARED)
