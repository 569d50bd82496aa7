"""Wait queues: tasks that sleep until something has happened.

A wake-up that nobody waits for is kept for the next that does.

Source: kernel/sched/wait.c: prepare_to_wait_event, __wake_up.
Differs: each wake-up serves one waiter, the first (as an exclusive one).
"""

from __future__ import annotations

from irqsim.events import TASK_UNINTERRUPTIBLE
from irqsim.kernel.sched import might_sleep, schedule
from irqsim.kernel.state import Cpu, Kernel, Path, Task
from irqsim.kernel.wakeup import wake_up_process


class WaitQueue:
    """A wait_queue_head, and how often its condition has become true unseen."""

    __slots__ = ("nr_events", "waiters")

    nr_events: int
    waiters: list[Task]

    def __init__(self) -> None:
        self.nr_events = 0
        self.waiters = []


def wait_event(k: Kernel, cpu: Cpu, queue: WaitQueue) -> Path:
    """Sleep until a wake-up that nobody has used yet."""
    task = cpu.current
    yield from might_sleep(k, cpu, "include/linux/wait.h")
    while not queue.nr_events:
        queue.waiters.append(task)
        task.state = TASK_UNINTERRUPTIBLE
        yield from schedule(k, k.cpus[task.cpu])
        if task in queue.waiters:
            queue.waiters.remove(task)
    queue.nr_events -= 1


def wake_up(k: Kernel, cpu: Cpu, queue: WaitQueue) -> Path:
    """Wake the first that waits; what it waits for is there."""
    queue.nr_events += 1
    if queue.waiters:
        yield from wake_up_process(k, cpu, queue.waiters.pop(0))
