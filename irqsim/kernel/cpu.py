"""CPU hotplug: a CPU goes, and comes back.

A CPU goes in three parts.  First nothing new is put on it: tasks choose other CPUs, its workers
may run anywhere, its ksoftirqd parks.  Then its stopper, which preempts whatever runs, pushes
the tasks away and takes the CPU out of the online mask: its lines and high-resolution timers
move, its tick ends, and it idles for good.  Last, once it is dead, a worker of another CPU takes
over what it has left: wheel timers, packets to poll, tasklets, softirqs.

A CPU comes in two: its idle task starts it and wakes its stopper; then cpuhp/N unparks
ksoftirqd and gets its workers back.

Source: kernel/cpu.c: _cpu_down, takedown_cpu, take_cpu_down, cpuhp_thread_fun, bringup_cpu;
arch/arm64/kernel/smp.c: __cpu_disable, secondary_start_kernel; kernel/sched/core.c:
sched_cpu_deactivate, balance_push.
Differs: the steps that wait for RCU, and that only other subsystems have, are left out, so that
it is over within microseconds; who types is not on any CPU, so that the stopper is woken by a
function call from nowhere, which queues the work, and cpuhp/N by the idle task; the stopper also
does what cpuhp/N does before it; the other CPUs are not stopped meanwhile; the
tracepoints of cpuhp are not there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from irqsim.events import TASK_INTERRUPTIBLE, TASK_PARKED
from irqsim.kernel.dev import dev_cpu_dead
from irqsim.kernel.hrtimer import hrtimers_cpu_dying, retrigger_next_event
from irqsim.kernel.irq.migration import irq_migrate_all_off_this_cpu
from irqsim.kernel.irq_work import irq_work_run_list
from irqsim.kernel.printk import KERN_INFO, printk
from irqsim.kernel.sched import new_task, schedule, start_task
from irqsim.kernel.smp import send_ipi
from irqsim.kernel.softirq import (
    BLOCK_SOFTIRQ,
    HI_SOFTIRQ,
    IRQ_POLL_SOFTIRQ,
    NET_TX_SOFTIRQ,
    NR_SOFTIRQS,
    TASKLET_SOFTIRQ,
    local_bh_disable,
    local_bh_enable,
    raise_softirq,
    takeover_tasklets,
)
from irqsim.kernel.spin import spin_until
from irqsim.kernel.state import IDLE, Cpu, Kernel, Path, Task
from irqsim.kernel.stop_machine import move_to_allowed
from irqsim.kernel.tick import start_tick, tick_cpu_dying, update_jiffies
from irqsim.kernel.timer import timers_dead_cpu
from irqsim.kernel.wakeup import sched_ttwu_pending, wake_up_by_call, wake_up_process
from irqsim.kernel.workqueue import (
    Work,
    queue_work,
    workqueue_offline_cpu,
    workqueue_online_cpu,
)

MIDR: Final = 0x411FD070
"""Of a Cortex-A57, whose instruction cache is physically indexed."""
CLUSTER_SIZE: Final = 16
GICR_BASE: Final = 0x080A0000
GICR_STRIDE: Final = 0x20000
_TAKEN_OVER: Final = (NET_TX_SOFTIRQ, IRQ_POLL_SOFTIRQ, TASKLET_SOFTIRQ, HI_SOFTIRQ)
"""Vectors that are raised for a dead CPU whether anything is pending or not."""
_WORK_ADDRESS: Final = 0x61C8864F


class Hotplug:
    """What is under way: at most one CPU moves at a time (cpus_write_lock())."""

    __slots__ = ("dead", "moving", "next_move", "on_done")

    moving: Cpu | None
    """It is about to go or to come; who asked for it waits."""
    dead: Cpu | None
    """It has gone, and what it has left is not taken over yet."""
    next_move: Callable[[], None] | None
    """What was asked for meanwhile."""
    on_done: Callable[[], None]
    """Tells who waits."""

    def __init__(self) -> None:
        self.moving = None
        self.dead = None
        self.next_move = None
        self.on_done = lambda: None


def cpu_down(k: Kernel, number: int) -> bool:
    """Take a CPU down, beginning now; False (-EBUSY) for the last one that is online.

    Source: kernel/cpu.c: cpu_down_maps_locked.
    """
    cpu = k.cpus[number]
    if cpu.is_online:
        if k.nr_online == 1:
            return False
        _move(k, cpu, lambda: _begin_down(k, cpu))
    return True


def cpu_up(k: Kernel, number: int) -> None:
    """Bring a CPU up, beginning now.  Source: kernel/cpu.c: cpu_up."""
    cpu = k.cpus[number]
    if not cpu.is_online:
        _move(k, cpu, lambda: k.power_on(cpu))


def _move(k: Kernel, cpu: Cpu, begin: Callable[[], None]) -> None:
    hotplug = k.hotplug
    assert hotplug.moving is None, "who types waits for the end of each move"
    hotplug.moving = cpu
    if hotplug.dead is None:
        begin()
    else:
        hotplug.next_move = begin


def _moved(k: Kernel) -> None:
    k.hotplug.moving = None
    k.hotplug.on_done()


# -- down --------------------------------------------------------------------------------


def _begin_down(k: Kernel, cpu: Cpu) -> None:
    cpu.is_active = False
    workqueue_offline_cpu(k, cpu)
    for thread in _smpboot_threads(cpu):
        if thread.state == TASK_INTERRUPTIBLE:
            thread.state = TASK_PARKED
    _stop(k, cpu)


def _stop(k: Kernel, cpu: Cpu) -> None:
    cpu.stop_fn = take_cpu_down
    wake_up_by_call(k, cpu, cpu.stopper)


def take_cpu_down(k: Kernel, cpu: Cpu) -> Path:
    """What the stopper of a CPU does that goes; from the last yield on all at one instant.

    Source: kernel/cpu.c: take_cpu_down; kernel/sched/core.c: __balance_push_cpu_stop;
    kernel/smp.c: smpcfd_dying_cpu.
    """
    if any(task.migration_disabled and task.cpu == cpu.number for task in k.tasks):
        # balance_hotplug_wait(): not before those have gone who must not move (PREEMPT_RT).
        k.queue.schedule(k.now_ns + k.tick_ns, lambda now_ns: _stop(k, cpu))
        return
    survivor = next(each for each in k.cpus if each.is_active)
    address = _WORK_ADDRESS if k.arch == "arm64" else f"{_WORK_ADDRESS:08x}"
    function = partial(_take_over, dead=cpu)
    yield from queue_work(k, cpu, Work(address, "work_for_cpu_fn", function, "system_wq"), survivor)
    cpu.irqs_disabled = True
    while cpu.wake_list or cpu.call_queue or cpu.irq_work_list:
        yield from sched_ttwu_pending(k, cpu)
        while cpu.call_queue:
            path = cpu.call_queue.pop(0)(cpu)
            if path is not None:
                yield from path
        yield from irq_work_run_list(cpu)
    for thread in _smpboot_threads(cpu):
        _park(cpu, thread)
    for task in (*cpu.rq.rt, *cpu.rq.fair):
        if task.is_delayed:
            # It sleeps, and has nothing to pay here any more.
            cpu.rq.fair.remove(task)
            task.on_rq = task.is_delayed = False
        else:
            move_to_allowed(k, cpu, task)
    cpu.is_online = False
    k.nr_online -= 1
    irq_migrate_all_off_this_cpu(k, cpu)
    for desc in k.irq_desc.values():
        if desc.percpu and desc.actions:
            k.gic.disable_percpu(desc, cpu.number)
    k.gic.set_cpu_interface(cpu.number, False)
    tick_cpu_dying(k, cpu)
    target = next(each for each in k.cpus if each.is_active)
    hrtimers_cpu_dying(k, cpu, target)
    target.call_queue.append(retrigger_next_event)
    if len(target.call_queue) == 1:
        # ipi_raise is silent here: the CPU is not online.
        send_ipi(k, cpu.number, 1 << target.number, k.ipi.call_function)
    cpu.irqs_disabled = False


def _smpboot_threads(cpu: Cpu) -> list[Task]:
    """The threads that stay with a CPU that goes, and park."""
    threads = (cpu.ksoftirqd, cpu.ktimersd, cpu.rcuc, cpu.irq_workd)
    return [thread for thread in threads if thread is not None]


def _park(cpu: Cpu, task: Task) -> None:
    """Park a thread of this CPU: one that has been preempted goes on when it is unparked.

    Source: kernel/smpboot.c: smpboot_park_threads.
    """
    for queue in (cpu.rq.rt, cpu.rq.fair):
        if task in queue:
            queue.remove(task)
    task.on_rq = task.is_requeued = task.is_delayed = False
    task.state = TASK_PARKED


def play_dead(k: Kernel, cpu: Cpu) -> Path:
    """The idle task of a CPU that is not online: tell that it is dead, wait, and start again.

    Source: kernel/sched/idle.c: do_idle; kernel/cpu.c: cpuhp_report_idle_dead.
    """
    if k.arch == "arm":
        printk(k, KERN_INFO, f"CPU{cpu.number} killed.")
    else:
        polled = " (polled 0 ms)" if k.release.tells_how_long_polled else "."
        printk(k, KERN_INFO, f"psci: CPU{cpu.number} killed{polled}")
    cpu.tif_need_resched = cpu.preempt_need_resched = cpu.tif_need_resched_lazy = False
    k.hotplug.dead = cpu
    _moved(k)
    while not _is_powered(k.hotplug, cpu):
        yield IDLE
    yield from secondary_start_kernel(k, cpu)


def _is_powered(hotplug: Hotplug, cpu: Cpu) -> bool:
    return hotplug.moving is cpu and hotplug.dead is None


def _take_over(k: Kernel, task: Task, dead: Cpu) -> Path:
    """Take over what a dead CPU has left, on the CPU of the worker that runs this.

    Source: the teardown callbacks from CPUHP_TIMERS_PREPARE down, include/linux/cpuhotplug.h;
    block/blk-mq.c: blk_softirq_cpu_dead; lib/irq_poll.c: irq_poll_cpu_dead.
    Differs: what is pending of the vectors without a callback is raised as well, and not kept
    for the day on which the CPU comes back.
    """
    what = f"CPU {dead.number} to be dead"
    yield from spin_until(k, k.cpus[task.cpu], lambda: k.hotplug.dead is dead, what)
    timers_dead_cpu(k, k.cpus[task.cpu], dead)
    yield k.cost.timer_manage
    yield from dev_cpu_dead(k, k.cpus[task.cpu], dead)
    if k.release.raises_block_for_the_dead:
        yield from raise_softirq(k, k.cpus[task.cpu], BLOCK_SOFTIRQ)
    cpu = k.cpus[task.cpu]
    if k.release.irq_poll_takeover_bh_off:
        yield from local_bh_disable(k, cpu)
        yield from raise_softirq(k, cpu, IRQ_POLL_SOFTIRQ)
        yield from local_bh_enable(k, cpu)
    else:
        yield from raise_softirq(k, cpu, IRQ_POLL_SOFTIRQ)
    yield from takeover_tasklets(k, k.cpus[task.cpu], dead)
    pending = dead.softirq_pending | dead.pending_timer_softirq
    dead.softirq_pending = dead.pending_timer_softirq = 0
    for vec in range(NR_SOFTIRQS):
        if pending >> vec & 1 and vec not in _TAKEN_OVER:
            yield from raise_softirq(k, k.cpus[task.cpu], vec)
    k.hotplug.dead = None
    following, k.hotplug.next_move = k.hotplug.next_move, None
    if following is not None:
        # Who waits for the lock sees a moment later that it is free.
        k.queue.schedule(k.now_ns + k.cost.spin, lambda now_ns: following())


# -- up ----------------------------------------------------------------------------------


def secondary_start_kernel(k: Kernel, cpu: Cpu) -> Path:
    """What the idle task of a CPU that starts does before it idles.

    Source: arch/arm64/kernel/smp.c, arch/arm/kernel/smp.c: secondary_start_kernel; kernel/cpu.c:
    cpuhp_online_idle, stop_machine_unpark.
    """
    _announce(k, cpu)
    cpu.irqs_disabled = True
    cpu.is_online = True
    k.nr_online += 1
    k.gic.set_cpu_interface(cpu.number, True)
    for desc in k.irq_desc.values():
        if desc.percpu and desc.actions:
            k.gic.enable_percpu(desc, cpu.number)
    cpu.tick.rcu_wanted = False
    update_jiffies(k)
    start_tick(k, cpu)
    yield from _unpark(k, cpu, cpu.stopper)
    yield from wake_up_process(k, cpu, cpu.cpuhp)
    cpu.irqs_disabled = False
    yield 0


def _announce(k: Kernel, cpu: Cpu) -> None:
    """The lines of the kernel log."""
    number = cpu.number
    mpidr = (number // CLUSTER_SIZE) << 8 | number % CLUSTER_SIZE
    if k.arch == "arm":
        return
    printk(k, KERN_INFO, f"Detected PIPT I-cache on CPU{number}")
    if k.gic.name == "GICv3":
        place = GICR_BASE + GICR_STRIDE * number
        text = f"GICv3: CPU{number}: found redistributor {mpidr:x} region 0:0x{place:016x}"
        printk(k, KERN_INFO, text)
    text = f"CPU{number}: Booted secondary processor 0x{mpidr:010x} [0x{MIDR:08x}]"
    printk(k, KERN_INFO, text)


def create_cpuhp_thread(k: Kernel, cpu: Cpu, pid: int) -> None:
    """Make the hotplug thread of a CPU; it sleeps."""
    task = new_task(k, f"cpuhp/{cpu.number}", _cpuhp_thread(k, cpu), (cpu.number,), pid)
    task.state = TASK_INTERRUPTIBLE
    task.is_per_cpu = True
    cpu.cpuhp = task


def _cpuhp_thread(k: Kernel, cpu: Cpu) -> Path:
    """Bring up what belongs to this CPU once it runs.

    Source: kernel/cpu.c: cpuhp_thread_fun; kernel/smpboot.c: smpboot_unpark_threads.
    """
    yield from start_task(k, cpu.cpuhp)
    while True:
        if k.hotplug.moving is cpu and not cpu.is_active:
            for thread in _smpboot_threads(cpu):
                yield from _unpark(k, cpu, thread)
            yield from workqueue_online_cpu(k, cpu)
            cpu.is_active = True
            _moved(k)
        cpu.cpuhp.state = TASK_INTERRUPTIBLE
        yield from schedule(k, cpu)


def _unpark(k: Kernel, cpu: Cpu, task: Task) -> Path:
    """Source: kernel/kthread.c: kthread_unpark."""
    if task.state == TASK_PARKED:
        task.state = TASK_INTERRUPTIBLE
    yield from wake_up_process(k, cpu, task)
