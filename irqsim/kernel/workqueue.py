"""Workqueues: functions that run later, in process context.

Each CPU has two pools of workers, one of them of high priority, and there is one unbound pool.
A pool keeps one worker running at a time: the next work starts when the worker is done, or
when it sleeps.

Source: kernel/workqueue.c: __queue_work, insert_work, worker_thread, process_one_work,
wq_worker_sleeping, wq_worker_running.
Differs: a worker that is wanted and not there is made at once, by nobody; idle workers are
kept; no rescuers, no limit on the works that are active.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.events import (
    TASK_IDLE,
    WORKQUEUE_ACTIVATE_WORK,
    WORKQUEUE_EXECUTE_END,
    WORKQUEUE_EXECUTE_START,
    WORKQUEUE_QUEUE_WORK,
)
from irqsim.kernel.fair import weight_of
from irqsim.kernel.sched import cond_resched, new_task, schedule, start_task
from irqsim.kernel.state import Cpu, Kernel, Path, Task
from irqsim.kernel.trace import trace
from irqsim.kernel.wakeup import wake_up_process

WORK_CPU_UNBOUND: Final[dict[str, int]] = {"arm64": 256, "arm": 8}
"""NR_CPUS of the distribution's build, which the events print for `any CPU`."""
HIGHPRI_NICE: Final = -20
QUEUE_NAMES: Final[dict[str, str]] = {
    "system_wq": "events",
    "system_highpri_wq": "events_highpri",
    "system_unbound_wq": "events_unbound",
}


class Work:
    """A work_struct.  Changed by the functions below only."""

    __slots__ = ("address", "function", "is_pending", "queue", "symbol")

    address: int | str
    symbol: str
    function: Callable[[Kernel, Task], Path]
    queue: str
    """The workqueue that its driver uses, by the kernel's variable."""
    is_pending: bool
    """It waits on its pool, or for its timer: WORK_STRUCT_PENDING."""

    def __init__(
        self,
        address: int | str,
        symbol: str,
        function: Callable[[Kernel, Task], Path],
        queue: str,
    ) -> None:
        self.address = address
        self.symbol = symbol
        self.function = function
        self.queue = queue
        self.is_pending = False


class WorkerPool:
    """A worker_pool: works that wait, and the workers that take them."""

    __slots__ = (
        "allowed",
        "idle",
        "name",
        "nice",
        "nr_running",
        "nr_workers",
        "suffix",
        "worklist",
    )

    name: str
    """What a worker's name says before the colon."""
    suffix: str
    nice: int
    allowed: tuple[int, ...]
    worklist: list[Work]
    idle: list[Task]
    """The last that became idle is woken first."""
    nr_running: int
    """Workers at work that do not sleep."""
    nr_workers: int

    def __init__(self, name: str, suffix: str, nice: int, allowed: tuple[int, ...]) -> None:
        self.name = name
        self.suffix = suffix
        self.nice = nice
        self.allowed = allowed
        self.worklist = []
        self.idle = []
        self.nr_running = 0
        self.nr_workers = 0


class WorkerPools:
    """All pools of the machine."""

    __slots__ = ("bound", "highpri", "unbound")

    def __init__(self, nr_cpus: int) -> None:
        cpus = range(nr_cpus)
        self.bound = [WorkerPool(f"kworker/{cpu}", "", 0, (cpu,)) for cpu in cpus]
        self.highpri = [WorkerPool(f"kworker/{cpu}", "H", HIGHPRI_NICE, (cpu,)) for cpu in cpus]
        # Two pools for each CPU come before it: its number is in its workers' names.
        self.unbound = WorkerPool(f"kworker/u{2 * nr_cpus}", "", 0, tuple(cpus))


def queue_work(k: Kernel, cpu: Cpu, work: Work, target: Cpu | None = None) -> Path:
    """Queue a work on the pool of this CPU, or of `target`; one that waits already stays.

    Source: kernel/workqueue.c: queue_work_on.
    """
    if not work.is_pending:
        work.is_pending = True
        yield from enqueue_work(k, cpu, work, target)


def enqueue_work(k: Kernel, cpu: Cpu, work: Work, target: Cpu | None = None) -> Path:
    """Put a work that has been made pending on its pool: at once, or when its timer fires.

    Source: kernel/workqueue.c: __queue_work, delayed_work_timer_fn.
    """
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    pool, pool_cpu = _pool_of(k, work, target or cpu)
    requested = WORK_CPU_UNBOUND[k.arch] if target is None else target.number
    name = QUEUE_NAMES[work.queue]
    queued = k.events.intern(
        WORKQUEUE_QUEUE_WORK, work.address, work.symbol, name, requested, pool_cpu
    )
    trace(k, cpu, queued)
    trace(k, cpu, k.events.intern(WORKQUEUE_ACTIVATE_WORK, work.address, work.symbol))
    pool.worklist.append(work)
    if not pool.nr_running:
        yield from wake_up_process(k, cpu, _idle_worker(k, pool))
    cpu.irqs_disabled = saved
    yield k.cost.queue_work


def make_workers(k: Kernel) -> None:
    """Give every pool a worker that sleeps."""
    pools = k.worker_pools
    for pool in (*pools.bound, *pools.highpri, pools.unbound):
        _create_worker(k, pool)


def _pool_of(k: Kernel, work: Work, cpu: Cpu) -> tuple[WorkerPool, int]:
    """The pool, and the CPU that the event prints for it."""
    if work.queue == "system_unbound_wq":
        return k.worker_pools.unbound, WORK_CPU_UNBOUND[k.arch]
    pools = k.worker_pools.highpri if work.queue == "system_highpri_wq" else k.worker_pools.bound
    return pools[cpu.number], cpu.number


def _idle_worker(k: Kernel, pool: WorkerPool) -> Task:
    if not pool.idle:
        _create_worker(k, pool)
    return pool.idle[-1]


def _create_worker(k: Kernel, pool: WorkerPool) -> None:
    holder: list[Task] = []
    # The first worker of a bound pool was 0, and has gone its way since the boot.
    number = pool.nr_workers + (0 if pool is k.worker_pools.unbound else 1)
    comm = f"{pool.name}:{number}{pool.suffix}"
    task = new_task(k, comm, _worker_thread(k, holder, pool), pool.allowed)
    holder.append(task)
    task.nice, task.prio = pool.nice, 120 + pool.nice
    task.weight = weight_of(task.policy, pool.nice)
    task.state = TASK_IDLE
    task.before_sleep = lambda: _worker_sleeping(k, task, pool)
    task.after_sleep = lambda: _worker_running(task, pool)
    pool.nr_workers += 1
    pool.idle.append(task)


def _worker_thread(k: Kernel, holder: list[Task], pool: WorkerPool) -> Path:
    """The code of a kworker: take works while there are any, then idle."""
    task = holder[0]
    yield from start_task(k, task)
    while True:
        if pool.worklist and not pool.nr_running:
            pool.idle.remove(task)
            pool.nr_running += 1
            while pool.worklist and pool.nr_running <= 1:
                yield from _process_one_work(k, task, pool.worklist.pop(0))
            pool.nr_running -= 1
            pool.idle.append(task)
        task.state = TASK_IDLE
        yield from schedule(k, k.cpus[task.cpu])


def _process_one_work(k: Kernel, task: Task, work: Work) -> Path:
    # From here on it can be queued again.
    work.is_pending = False
    start = k.events.intern(WORKQUEUE_EXECUTE_START, work.address, work.symbol)
    trace(k, k.cpus[task.cpu], start)
    yield from work.function(k, task)
    end = k.events.intern(WORKQUEUE_EXECUTE_END, work.address, work.symbol)
    trace(k, k.cpus[task.cpu], end)
    yield from cond_resched(k, k.cpus[task.cpu])


def _worker_sleeping(k: Kernel, task: Task, pool: WorkerPool) -> Path:
    """A worker sleeps in the middle of its work: let another take the next one."""
    if task in pool.idle:
        return
    pool.nr_running -= 1
    if not pool.nr_running and pool.worklist:
        yield from wake_up_process(k, k.cpus[task.cpu], _idle_worker(k, pool))


def _worker_running(task: Task, pool: WorkerPool) -> None:
    """A worker that slept in the middle of its work goes on with it."""
    if task not in pool.idle:
        pool.nr_running += 1
