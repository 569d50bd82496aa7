"""Workqueues: functions that run later, in process context.

Each CPU has two pools of workers, one of them of high priority, and there is one unbound pool.
A CPU's pool keeps one worker running at a time: the next work starts when the worker is done, or
when it sleeps.  The unbound pool takes as many workers as there are works.  No work runs beside
itself: queued again while it runs, it waits for the worker that runs it.

Source: kernel/workqueue.c: __queue_work, insert_work, worker_thread, process_one_work,
find_worker_executing_work, wq_worker_sleeping, wq_worker_running.
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
from irqsim.kernel.load import weight_of
from irqsim.kernel.sched import cond_resched, new_task, schedule, start_task
from irqsim.kernel.state import Cpu, Kernel, Path, Task
from irqsim.kernel.stop_machine import move_other
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

    __slots__ = ("address", "function", "is_pending", "queue", "symbol", "worker")

    address: int | str
    symbol: str
    function: Callable[[Kernel, Task], Path]
    queue: str
    """The workqueue that its driver uses, by the kernel's variable."""
    is_pending: bool
    """It waits on its pool, or for its timer: WORK_STRUCT_PENDING."""
    worker: Worker | None
    """Who runs it now."""

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
        self.worker = None


class Worker:
    """A kworker.  Changed by the functions below only."""

    __slots__ = ("is_idle", "pool", "scheduled", "task")

    task: Task
    """Set when its thread has been made."""
    pool: WorkerPool
    is_idle: bool
    scheduled: list[Work]
    """Works that nobody else may take: they were queued while this worker ran them."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.is_idle = True
        self.scheduled = []


class WorkerPool:
    """A worker_pool: works that wait, and the workers that take them."""

    __slots__ = (
        "allowed",
        "cpu",
        "idle",
        "name",
        "nice",
        "nr_running",
        "nr_workers",
        "suffix",
        "workers",
        "worklist",
    )

    name: str
    """What a worker's name says before the colon."""
    suffix: str
    nice: int
    cpu: int
    """-1 of the unbound pool."""
    allowed: tuple[int, ...]
    worklist: list[Work]
    idle: list[Worker]
    """The last that became idle is woken first."""
    nr_running: int
    """Workers at work that do not sleep; none of the unbound pool, which does not manage them."""
    nr_workers: int
    workers: list[Task]

    def __init__(self, name: str, suffix: str, nice: int, cpus: range, is_bound: bool) -> None:
        self.name = name
        self.suffix = suffix
        self.nice = nice
        self.cpu = cpus[0] if is_bound else -1
        self.allowed = tuple(cpus)
        self.worklist = []
        self.idle = []
        self.nr_running = 0
        self.nr_workers = 0
        self.workers = []


class WorkerPools:
    """All pools of the machine."""

    __slots__ = ("bound", "highpri", "shown", "unbound")

    def __init__(self, nr_cpus: int, shown: dict[str, int | str]) -> None:
        """`shown` is what the trace prints for each queue: its name, or its address."""
        self.shown = shown
        cpus = range(nr_cpus)
        one = [(f"kworker/{cpu}", cpus[cpu : cpu + 1]) for cpu in cpus]
        self.bound = [WorkerPool(name, "", 0, cpu, True) for name, cpu in one]
        self.highpri = [WorkerPool(name, "H", HIGHPRI_NICE, cpu, True) for name, cpu in one]
        # Two pools for each CPU come before it: its number is in its workers' names.
        self.unbound = WorkerPool(f"kworker/u{2 * nr_cpus}", "", 0, cpus, False)


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
    # The pool's lock.
    cpu.preempt_count += k.preempt_offset
    pool = work.worker.pool if work.worker is not None else _pool_of(k, work, target or cpu)
    requested = WORK_CPU_UNBOUND[k.arch] if target is None else target.number
    name = k.worker_pools.shown[work.queue]
    queued = k.events.intern(
        WORKQUEUE_QUEUE_WORK, work.address, work.symbol, name, requested, pool.cpu
    )
    trace(k, cpu, queued)
    trace(k, cpu, k.events.intern(WORKQUEUE_ACTIVATE_WORK, work.address, work.symbol))
    pool.worklist.append(work)
    if not pool.nr_running:
        yield from _wake_up_worker(k, cpu, pool)
    cpu.preempt_count -= k.preempt_offset
    cpu.irqs_disabled = saved
    yield k.cost.queue_work


def workqueue_offline_cpu(k: Kernel, cpu: Cpu) -> None:
    """A CPU is about to go: its workers may run anywhere, and go on with what is queued.

    Source: kernel/workqueue.c: workqueue_offline_cpu, unbind_workers.
    Differs: the pool still runs one worker at a time.
    """
    for pool in (k.worker_pools.bound[cpu.number], k.worker_pools.highpri[cpu.number]):
        pool.allowed = tuple(range(len(k.cpus)))
        for worker in pool.workers:
            worker.allowed = pool.allowed


def workqueue_online_cpu(k: Kernel, cpu: Cpu) -> Path:
    """A CPU has come: its workers return to it.  Runs there.

    Source: kernel/workqueue.c: workqueue_online_cpu, rebind_workers.
    """
    for pool in (k.worker_pools.bound[cpu.number], k.worker_pools.highpri[cpu.number]):
        pool.allowed = (cpu.number,)
        for worker in pool.workers:
            worker.allowed = pool.allowed
            if worker.on_rq and worker.cpu != cpu.number:
                yield from move_other(k, cpu, worker)


def make_workers(k: Kernel) -> None:
    """Give every pool a worker that sleeps."""
    pools = k.worker_pools
    for pool in (*pools.bound, *pools.highpri, pools.unbound):
        _create_worker(k, pool)


def _pool_of(k: Kernel, work: Work, cpu: Cpu) -> WorkerPool:
    if work.queue == "system_unbound_wq":
        return k.worker_pools.unbound
    pools = k.worker_pools.highpri if work.queue == "system_highpri_wq" else k.worker_pools.bound
    return pools[cpu.number]


def _wake_up_worker(k: Kernel, cpu: Cpu, pool: WorkerPool) -> Path:
    """Wake the pool's first idle worker.  Source: kernel/workqueue.c: wake_up_worker."""
    yield from wake_up_process(k, cpu, _first_idle(k, pool).task)


def _first_idle(k: Kernel, pool: WorkerPool) -> Worker:
    if not pool.idle:
        _create_worker(k, pool)
    return pool.idle[-1]


def _create_worker(k: Kernel, pool: WorkerPool) -> None:
    worker = Worker(pool)
    # The first worker of a bound pool was 0, and has gone its way since the boot.
    number = pool.nr_workers + (1 if pool.cpu >= 0 else 0)
    comm = f"{pool.name}:{number}{pool.suffix}"
    task = worker.task = new_task(k, comm, _worker_thread(k, worker), pool.allowed)
    task.nice, task.prio = pool.nice, 120 + pool.nice
    task.weight = weight_of(task.policy, pool.nice)
    task.state = TASK_IDLE
    if pool.cpu >= 0:
        task.before_sleep = lambda: _worker_sleeping(k, worker)
        task.after_sleep = lambda: _worker_running(worker)
    pool.nr_workers += 1
    pool.workers.append(task)
    pool.idle.append(worker)


def _worker_thread(k: Kernel, worker: Worker) -> Path:
    """The code of a kworker: take works while there are any, then idle."""
    task, pool = worker.task, worker.pool
    share = 1 if pool.cpu >= 0 else 0
    yield from start_task(k, task)
    while True:
        if pool.worklist and not pool.nr_running:
            worker.is_idle = False
            pool.idle.remove(worker)
            pool.nr_running += share
            while pool.worklist and pool.nr_running <= 1:
                yield from _process_one_work(k, worker, pool.worklist.pop(0))
                while worker.scheduled:
                    yield from _process_one_work(k, worker, worker.scheduled.pop(0))
            pool.nr_running -= share
            worker.is_idle = True
            pool.idle.append(worker)
        task.state = TASK_IDLE
        yield from schedule(k, k.cpus[task.cpu])


def _process_one_work(k: Kernel, worker: Worker, work: Work) -> Path:
    """Run a work, or leave it to the worker that runs it already."""
    if work.worker is not None:
        work.worker.scheduled.append(work)
        return
    task, pool = worker.task, worker.pool
    work.worker = worker
    if pool.worklist and not pool.nr_running:
        yield from _wake_up_from_worker(k, worker)
    # From here on it can be queued again.
    work.is_pending = False
    start = k.events.intern(WORKQUEUE_EXECUTE_START, work.address, work.symbol)
    trace(k, k.cpus[task.cpu], start)
    yield from work.function(k, task)
    end = k.events.intern(WORKQUEUE_EXECUTE_END, work.address, work.symbol)
    trace(k, k.cpus[task.cpu], end)
    yield from cond_resched(k, k.cpus[task.cpu])
    work.worker = None


def _wake_up_from_worker(k: Kernel, worker: Worker) -> Path:
    """The same by a worker of the pool, which holds the pool's lock for that."""
    cpu = k.cpus[worker.task.cpu]
    cpu.preempt_count += k.preempt_offset
    yield from _wake_up_worker(k, cpu, worker.pool)
    cpu.preempt_count -= k.preempt_offset


def _worker_sleeping(k: Kernel, worker: Worker) -> Path:
    """A worker sleeps in the middle of its work: let another take the next one."""
    if worker.is_idle:
        return
    pool = worker.pool
    pool.nr_running -= 1
    if not pool.nr_running and pool.worklist:
        yield from _wake_up_from_worker(k, worker)


def _worker_running(worker: Worker) -> None:
    """A worker that slept in the middle of its work goes on with it."""
    if not worker.is_idle:
        worker.pool.nr_running += 1
