"""Every duration that the kernel itself costs, in one table.

The defaults are those of a core of about 1 GHz that traces its own interrupts, measured on a
real arm64 kernel by counting instructions: raising a line to the handler's first line 1 to
2 us, the handler's last line to the first softirq 1 us, waking a task to the switch to it 5
to 7 us.  All are rounded up to whole ticks when a machine is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import frozen


@frozen
class Cost:
    """One duration: its key in `[cost]`, its default in ns, and between which two points."""

    name: str
    default_ns: int
    what: str


COSTS: Final[tuple[Cost, ...]] = (
    Cost("irq_entry", 1_000, "interrupt signal taken -> first irq_handler_entry"),
    Cost("irq_handler", 1_000, "irq_handler_entry -> first step of the handler"),
    Cost("irq_exit", 1_000, "last irq_handler_exit, or last softirq -> what was interrupted"),
    Cost("softirq_entry", 1_000, "irq_exit or the last vector's exit -> softirq_entry"),
    Cost("softirq_raise", 1_000, "raise_softirq() called -> it returns"),
    Cost("tasklet_entry", 1_000, "TASKLET or HI taken up -> tasklet_entry, for each tasklet"),
    Cost("wakeup", 2_000, "sched_waking -> sched_wakeup"),
    Cost("context_switch", 3_000, "schedule() called -> sched_switch"),
    Cost("switch_to", 1_000, "sched_switch -> the next task goes on"),
    Cost("ipi", 1_000, "inter-processor interrupt sent -> its signal at the target"),
    Cost("tick", 2_000, "the tick's own work, between its two irq_handler lines"),
    Cost("timer_softirq", 1_000, "TIMER with nothing due"),
    Cost("sched_softirq", 2_000, "SCHED: one look at the balance of the CPUs"),
    Cost("rcu_softirq", 1_000, "RCU: one quiescent state reported"),
    Cost("timer_manage", 1_000, "mod_timer(), hrtimer_start() and the like"),
    Cost("queue_work", 0, "queue_work(), beyond waking the worker"),
    Cost("syscall", 1_000, "a task's step into the kernel"),
    Cost("irq_manage", 1_000, "disable_irq(), enable_irq(), irq_set_affinity() and the like"),
    Cost("exit", 8_000, "sched_process_exit -> the task leaves its scheduling group"),
    Cost("exit_last", 2_000, "from there -> schedule() for the last time"),
    Cost("spin", 1_000, "one look of a CPU that waits for another"),
    Cost("local_irq", 0, "local_irq_disable() and the like"),
)


class CostTable:
    """The costs of one machine, in ns, as attributes named like the keys of `[cost]`."""

    __slots__ = tuple(cost.name for cost in COSTS)

    irq_entry: int
    irq_handler: int
    irq_exit: int
    softirq_entry: int
    softirq_raise: int
    tasklet_entry: int
    wakeup: int
    context_switch: int
    switch_to: int
    ipi: int
    tick: int
    timer_softirq: int
    sched_softirq: int
    rcu_softirq: int
    timer_manage: int
    queue_work: int
    syscall: int
    irq_manage: int
    exit: int
    exit_last: int
    spin: int
    local_irq: int

    def __init__(self, overrides: Iterable[tuple[str, int]] = (), tick_ns: int = 1) -> None:
        """The defaults, with `overrides` (name, ns), rounded up to multiples of `tick_ns`."""
        values = {cost.name: cost.default_ns for cost in COSTS}
        values.update(overrides)
        for name, value in values.items():
            setattr(self, name, -(-value // tick_ns) * tick_ns)
        # Waiting must take time, or two CPUs that wait for each other would stop the clock.
        self.spin = max(self.spin, tick_ns)
