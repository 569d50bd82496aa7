"""The stopper threads, migration/N: what must run before all else on a CPU.

A task that has to leave its CPU is preempted by that CPU's stopper, which moves it to the
queue of another.

Source: kernel/stop_machine.c: cpu_stopper_thread; kernel/sched/core.c: affine_move_task,
migration_cpu_stop.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import (
    SCHED_MIGRATE_TASK,
    TASK_INTERRUPTIBLE,
    TASK_PARKED,
    TASK_UNINTERRUPTIBLE,
)
from irqsim.kernel.preempt import PREEMPT_OFFSET
from irqsim.kernel.sched import (
    check_preempt_curr,
    might_sleep,
    move_queued_task,
    new_task,
    preempt_check_resched,
    schedule,
    start_task,
)
from irqsim.kernel.state import SCHED_FIFO, Cpu, Kernel, Path, Task
from irqsim.kernel.trace import trace
from irqsim.kernel.wakeup import select_fallback_rq, wake_up_process

STOPPER_PRIO: Final = 0
"""As traces print it."""


def create_stopper(k: Kernel, cpu: Cpu, pid: int) -> None:
    """Make the stopper of a CPU; it sleeps."""
    task = new_task(k, f"migration/{cpu.number}", _stopper(k, cpu), (cpu.number,), pid)
    task.policy, task.prio = SCHED_FIFO, STOPPER_PRIO
    task.state = TASK_INTERRUPTIBLE
    task.is_per_cpu = True
    cpu.stopper = task


def set_cpus_allowed(k: Kernel, task: Task, allowed: tuple[int, ...]) -> Path:
    """Let the running task go on on other CPUs; returns there.

    Source: kernel/sched/core.c: set_cpus_allowed_ptr.
    """
    task.allowed = allowed
    if task.cpu in allowed:
        return
    cpu = k.cpus[task.cpu]
    cpu.stop_work.append(task)
    # stop_one_cpu_nowait() and its caller switch preemption off, each for itself.
    cpu.preempt_count += 2 * k.preempt_offset
    yield from wake_up_process(k, cpu, cpu.stopper)
    cpu.preempt_count -= 2 * k.preempt_offset
    yield from preempt_check_resched(k, k.cpus[task.cpu])
    yield from might_sleep(k, k.cpus[task.cpu], "kernel/sched/completion.c")
    while task.cpu not in task.allowed:
        task.state = TASK_UNINTERRUPTIBLE
        yield from schedule(k, k.cpus[task.cpu])


def move_other(k: Kernel, cpu: Cpu, task: Task) -> Path:
    """Move a task that wants another CPU to one that it may use: where it waits, at once; where
    it runs, by that CPU's stopper.

    Source: kernel/sched/core.c: affine_move_task.
    Differs: who moves a running task does not wait for it.
    """
    other = k.cpus[task.cpu]
    if other.current is task:
        other.stop_work.append(task)
        yield from wake_up_process(k, cpu, other.stopper)
    elif task.on_rq and (task in other.rq.rt or task in other.rq.fair):
        move_to_allowed(k, other, task, cpu)


def _stopper(k: Kernel, cpu: Cpu) -> Path:
    task = cpu.stopper
    yield from start_task(k, task)
    while True:
        while cpu.stop_work:
            # A stopper's functions run with one level of preemption held, on every kernel.
            cpu.preempt_count += PREEMPT_OFFSET
            cpu.irqs_disabled = True
            yield from _migrate(k, cpu, cpu.stop_work.pop(0))
            cpu.irqs_disabled = False
            cpu.preempt_count -= PREEMPT_OFFSET
            yield 0
        function, cpu.stop_fn = cpu.stop_fn, None
        if function is not None:
            cpu.preempt_count += PREEMPT_OFFSET
            yield from function(k, cpu)
            cpu.preempt_count -= PREEMPT_OFFSET
        if cpu.stop_work or cpu.stop_fn is not None:
            continue
        task.state = TASK_INTERRUPTIBLE if cpu.is_online else TASK_PARKED
        yield from schedule(k, cpu)


def _migrate(k: Kernel, cpu: Cpu, task: Task) -> Path:
    """Move a task that waits in this CPU's queue to where it may run; one that sleeps until it
    is there is woken there.

    Source: kernel/sched/core.c: migration_cpu_stop.
    """
    if not task.on_rq:
        yield from wake_up_process(k, cpu, task)
    elif task.cpu == cpu.number:
        move_to_allowed(k, cpu, task)


def move_to_allowed(k: Kernel, cpu: Cpu, task: Task, mover: Cpu | None = None) -> None:
    """Move a task that waits in the queue of `cpu` to the first CPU that it may use.

    `mover` is the CPU that does it, if that is another.

    Source: kernel/sched/core.c: __migrate_task, move_queued_task.
    """
    target = k.cpus[select_fallback_rq(k, task)]
    moved = k.events.intern(
        SCHED_MIGRATE_TASK, task.comm, task.pid, task.prio, cpu.number, target.number
    )
    # The task's lock and the run queue's.
    trace(k, mover or cpu, moved, depth=2)
    move_queued_task(k, mover or cpu, cpu, target, task)
    check_preempt_curr(k, mover or cpu, target, task, depth=2)
