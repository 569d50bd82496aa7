"""Laws that follow marks in the log, and books of what was queued and what came.

Scenarios that have everything print `enter NAME` and `leave NAME` where a thread function begins
and ends, `hush NAME` behind napi_schedule(), and `bottom off` and `bottom on` where bottom halves
are off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from irqsim.analysis.invariant import Violation
from irqsim.events import (
    HARDIRQ,
    IRQ_HANDLER_ENTRY,
    NAPI_POLL,
    PRINT,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    WORKQUEUE_EXECUTE_END,
    WORKQUEUE_EXECUTE_START,
    WORKQUEUE_QUEUE_WORK,
    Context,
    Event,
    Value,
)
from tests.runs import Run

BOTTOM: Final = {
    ("bottom", "off"): 1, ("bottom", "on"): -1, ("hold", "block"): 1, ("drop", "block"): -1,
}  # fmt: skip
"""What marks say of bottom halves: `block` is a lock that is taken with spin_lock_bh()."""
OUTSIDE_NS: Final = 200_000
"""How long before a violation a task may have been started from outside."""


def calls_handlers(run: Run) -> bool:
    """Whether handlers are called by others than their line's interrupt."""
    kernel = run.spec.kernel
    return kernel.storm_threshold is not None or kernel.irqpoll or kernel.irqfixup


def excused(run: Run, violation: Violation) -> bool:
    """Whether a violation is the scenario's own doing, which the log does not show."""
    if violation.name == "a_line_keeps_its_actions":
        # Who is requested anew is the last action of its line.
        return bool(run.named_by("request_irq", "free_irq"))
    if violation.name == "need_resched_has_a_reason":
        # Somebody outside starts a task while a handler runs.
        passed_ns = violation.time_ns - run.kernel.trace_clock_ns
        return any(0 <= passed_ns - task.start <= OUTSIDE_NS for task in run.spec.tasks)
    return False


def _marks(event: Event) -> tuple[str, str]:
    verb, _, name = str(event.values[1]).partition(" ")
    return verb, name


def faults_of_threaded_lines(run: Run) -> list[str]:
    """Look for handlers of one-shot lines that begin while the thread function runs."""
    freed = run.named_by("enable_irq", "free_irq", "request_irq")
    watched = {
        drivers[0].desc.irq: drivers[0].spec.name
        for drivers in run.lines()
        if "IRQF_ONESHOT" in drivers[0].spec.flags and drivers[0].spec.name not in freed
    }
    if calls_handlers(run):
        return []
    running: dict[str, bool] = {}
    faults = []
    for time_ns, _, event in run.records:
        if event.tracepoint is PRINT:
            verb, name = _marks(event)
            if verb in ("enter", "leave"):
                running[name] = verb == "enter"
        elif event.tracepoint is IRQ_HANDLER_ENTRY:
            irq = event.values[0]
            assert isinstance(irq, int)
            if running.get(watched.get(irq, "")):
                faults.append(f"{time_ns} ns: irq {irq} fires while its thread runs")
    return faults


def faults_of_interrupt_context(run: Run) -> list[str]:
    """Look for thread functions and works in interrupts, and in tasks that are not theirs."""
    faults = []
    for time_ns, context, event in run.records:
        if event.tracepoint is PRINT and _marks(event)[0] in ("enter", "leave"):
            owner = "irq/"
        elif event.tracepoint in (WORKQUEUE_EXECUTE_START, WORKQUEUE_EXECUTE_END):
            owner = "kworker/"
        else:
            continue
        if context.flags & (HARDIRQ | SOFTIRQ) or not context.comm.startswith(owner):
            faults.append(f"{time_ns} ns: {event} of {context.comm}, flags {context.flags:#x}")
    return faults


def faults_of_polls(run: Run) -> list[str]:
    """Look for handlers of level devices whose poll is scheduled, and for devices that are not
    masked then."""
    faults = [
        f"{nic.device.name} is to be polled, and is not masked"
        for nic in run.machine.nics.values()
        if nic.napi.is_scheduled and not nic.device.is_masked
    ]
    if calls_handlers(run):
        return faults
    names = [nic.device.name for nic in run.machine.nics.values()]
    watched = {
        drivers[0].desc.irq: drivers[0].spec.name
        for drivers in run.lines()
        if drivers[0].spec.name in names and drivers[0].spec.trigger == "level"
    }
    hushed: dict[Value, bool] = {}
    for time_ns, _, event in run.records:
        if event.tracepoint is PRINT and _marks(event)[0] == "hush":
            hushed[_marks(event)[1]] = True
        elif event.tracepoint is NAPI_POLL:
            work, budget = event["work"], event["budget"]
            assert isinstance(work, int) and isinstance(budget, int)
            if work < budget:
                hushed.clear()
        elif event.tracepoint is IRQ_HANDLER_ENTRY:
            irq = event.values[0]
            assert isinstance(irq, int)
            if hushed.get(watched.get(irq, "")):
                faults.append(f"{time_ns} ns: irq {irq} fires while it is to be polled")
    return faults


def _runs_of_works(run: Run) -> Iterator[tuple[int, Context, Event, str]]:
    """Time, context, event and address of what happens to the scenario's works."""
    addresses = [run.machine.work(each.name).address for each in run.spec.works]
    for time_ns, context, event in run.records:
        if event.tracepoint.system == "workqueue" and event.values[0] in addresses:
            yield time_ns, context, event, str(event.values[0])


def faults_of_works(run: Run) -> list[str]:
    """Compare how often each work was queued, how often it ran, and where it waits."""
    waiting: dict[str, int] = {}
    for _, _, event, address in _runs_of_works(run):
        if event.tracepoint is WORKQUEUE_QUEUE_WORK:
            waiting[address] = waiting.get(address, 0) + 1
        elif event.tracepoint is WORKQUEUE_EXECUTE_START:
            waiting[address] = waiting.get(address, 0) - 1
    faults = []
    pools = run.kernel.worker_pools
    for each in run.spec.works:
        work = run.machine.work(each.name)
        listed = sum(
            queue.count(work)
            for pool in (*pools.bound, *pools.highpri, pools.unbound)
            for queue in (pool.worklist,)
        )
        if work.worker is not None:
            listed += work.worker.scheduled.count(work)
        counted = waiting.get(str(work.address), 0)
        # Taken off the list, and not begun yet.
        if counted != listed and not (counted == 1 and work.is_pending and work.worker):
            faults.append(f"{each.name}: {counted} runs are due, {listed} are listed")
    return faults


def faults_of_works_beside(run: Run) -> list[str]:
    """Look for works that begin while another worker runs them."""
    workers: dict[str, int] = {}
    faults = []
    for time_ns, context, event, address in _runs_of_works(run):
        if event.tracepoint is WORKQUEUE_EXECUTE_START:
            if address in workers:
                faults.append(f"{time_ns} ns: {event} beside pid {workers[address]}")
            workers[address] = context.pid
        elif event.tracepoint is WORKQUEUE_EXECUTE_END:
            workers.pop(address, None)
    return faults


def faults_of_bottom_halves(run: Run) -> list[str]:
    """Look for softirqs on CPUs whose bottom halves are off."""
    depth = [0] * len(run.kernel.cpus)
    faults = []
    for time_ns, context, event in run.records:
        cpu = context.cpu
        if event.tracepoint is PRINT and _marks(event) in BOTTOM:
            depth[cpu] += BOTTOM[_marks(event)]
        elif event.tracepoint is SOFTIRQ_ENTRY and depth[cpu]:
            faults.append(f"{time_ns} ns: {event} on CPU {cpu}, where bottom halves are off")
    return faults


def faults_of_arrivals(run: Run) -> list[str]:
    """Compare what came with what became of it."""
    machine = run.machine
    nics = {nic.device.name: nic for nic in machine.nics.values()}
    faults = []
    for spec in run.spec.devices:
        device = machine.device(spec.name)
        nr_lines = max(1, len(device.lines))
        nic = nics.get(spec.name)
        if nic is not None:
            ended = [device.nr_services, nic.nr_dropped, nic.ring]
        else:
            ended = [device.nr_services, device.nr_merged, device.waiting]
        came = device.nr_arrivals * (1 if nic is not None else nr_lines)
        if sum(ended) not in (came, came - 1 if nic is not None else came):
            faults.append(f"{spec.name}: {came} arrivals, but {ended}")
    return faults
