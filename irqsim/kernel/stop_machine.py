"""The stopper threads, migration/N: what must run before all else on a CPU.

A task that has to leave its CPU sleeps until that CPU's stopper has sent it on; it wakes up
where it may run.

Source: kernel/stop_machine.c: cpu_stopper_thread; kernel/sched/core.c: affine_move_task,
migration_cpu_stop.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import TASK_INTERRUPTIBLE, TASK_UNINTERRUPTIBLE
from irqsim.kernel.sched import new_task, schedule, start_task
from irqsim.kernel.state import SCHED_FIFO, Cpu, Kernel, Path, Task
from irqsim.kernel.wakeup import wake_up_process

STOPPER_PRIO: Final = 0
"""As traces print it."""


def create_stopper(k: Kernel, cpu: Cpu, pid: int) -> None:
    """Make the stopper of a CPU; it sleeps."""
    task = new_task(k, f"migration/{cpu.number}", _stopper(k, cpu), (cpu.number,), pid)
    task.policy, task.prio = SCHED_FIFO, STOPPER_PRIO
    task.state = TASK_INTERRUPTIBLE
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
    yield from wake_up_process(k, cpu, cpu.stopper)
    task.state = TASK_UNINTERRUPTIBLE
    yield from schedule(k, cpu)


def _stopper(k: Kernel, cpu: Cpu) -> Path:
    task = cpu.stopper
    yield from start_task(k, task)
    while True:
        while cpu.stop_work:
            yield from wake_up_process(k, cpu, cpu.stop_work.pop(0))
        task.state = TASK_INTERRUPTIBLE
        yield from schedule(k, cpu)
