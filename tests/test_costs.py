"""The laws of what the kernel itself costs: irqsim.kernel.costs."""

from __future__ import annotations

import pytest

from irqsim.kernel.costs import COSTS, CostTable
from tests.kernel_scenarios import Outcome, device, run, run_free, table, task, tasklet, work

HANDLED = device("d", ["1ms"], ["trace_printk first"], affinity=[0])
WOKEN = task("f", ["schedule", "trace_printk up"], cpu=0, policy="fifo") + device(
    "d", ["1ms"], ["wake_up_process f"]
)


def _at(outcome: Outcome, event: str) -> int:
    """When the last such event happened."""
    return outcome.times(event)[-1]


@pytest.mark.parametrize(
    ("cost", "text", "begin", "end"),
    [
        ("irq_handler", HANDLED, "irq_handler_entry", "print"),
        ("softirq_entry", device("d", ["1ms"], ["raise_softirq BLOCK"]),
         "irq_handler_exit", "softirq_entry"),
        ("softirq_raise", device("d", ["1ms"], ["raise_softirq BLOCK", "trace_printk x"]),
         "softirq_raise", "print"),
        ("tasklet_entry", tasklet("t") + device("d", ["1ms"], ["tasklet_schedule t"]),
         "softirq_entry", "tasklet_entry"),
        ("wakeup", WOKEN, "sched_waking", "sched_wakeup"),
        ("context_switch", WOKEN, "irq_handler_exit", "print"),
        ("switch_to", WOKEN, "irq_handler_exit", "print"),
        ("exit_last", task("a", ["run 1us"], cpu=0), "sched_process_exit", "sched_switch"),
        ("exit", task("a", ["run 1us"], cpu=0), "sched_process_exit", "sched_switch"),
        ("queue_work", work("w") + device("d", ["1ms"], ["queue_work w", "trace_printk x"]),
         "workqueue_queue_work", "print"),
        ("ipi", device("d", ["1ms"], ["smp_send_reschedule 1"]), "ipi_raise", "ipi_entry"),
    ],
)  # fmt: skip
def test_a_cost_lies_between_two_points(cost: str, text: str, begin: str, end: str) -> None:
    """7 us more between them, and nothing else in between."""
    free = run_free(text)
    dear = run_free(text, f"cost.{cost}=7us")
    assert _at(dear, end) - _at(dear, begin) == _at(free, end) - _at(free, begin) + 7


def test_irq_entry_lies_before_the_first_handler() -> None:
    """From the signal: the arrival, on a CPU that lets it in."""
    outcome = run_free(HANDLED, "cost.irq_entry=7us")
    assert outcome.one("irq_handler_entry").time_us == 1007


def test_irq_exit_lies_before_what_was_interrupted_goes_on() -> None:
    """Behind the handlers and the softirqs."""
    text = task("a", ["run 2ms", "trace_printk done"], cpu=0)
    alone = run_free(text, "cost.irq_exit=7us").said_at("done")
    assert run_free(HANDLED + text, "cost.irq_exit=7us").said_at("done") == alone + 7


def test_syscall_lies_before_a_tasks_step() -> None:
    """On its way into the kernel."""
    outcome = run_free(task("a", ["run 1ms", "trace_printk in"], cpu=0), "cost.syscall=7us")
    assert outcome.said_at("in") == 1007


def test_the_tick_costs_while_it_is_handled() -> None:
    """Between its two irq_handler lines."""
    outcome = run_free(task("a", ["run 5ms"], cpu=0), "cost.tick=7us")
    entry, exit_ = outcome.irqs("arch_timer")
    assert exit_.time_us - entry.time_us == 7


@pytest.mark.parametrize(
    ("step", "cost"),
    [
        ("mod_timer t 5ms", "timer_manage"),
        ("del_timer t", "timer_manage"),
        ("hrtimer_start h 5ms", "timer_manage"),
        ("hrtimer_cancel h", "timer_manage"),
        ("disable_irq_nosync e", "irq_manage"),
        ("irq_set_affinity e 1", "irq_manage"),
        ("local_irq_disable", "local_irq"),
        ("local_bh_disable", "local_irq"),
        ("spin_lock L", "local_irq"),
    ],
)
def test_a_call_costs_where_it_stands(step: str, cost: str) -> None:
    """Between the step before and the step after."""
    text = (
        table("[timer]", name="t", run=[])
        + table("[hrtimer]", name="h", run=[])
        + device("e", [], [], spi=2)
        + device("d", ["1ms"], ["trace_printk before", step, "trace_printk after"])
    )
    outcome = run_free(text, f"cost.{cost}=7us")
    assert outcome.said_at("after") - outcome.said_at("before") == 7


def test_costs_are_rounded_up_to_whole_ticks() -> None:
    """A cost that is not zero never becomes zero."""
    costs = CostTable([("irq_entry", 1), ("irq_exit", 1000), ("ipi", 1001), ("wakeup", 0)], 1000)
    assert (costs.irq_entry, costs.irq_exit, costs.ipi, costs.wakeup) == (1000, 1000, 2000, 0)


def test_waiting_always_takes_time() -> None:
    """Two CPUs that wait for each other must not stop the clock."""
    assert CostTable([("spin", 0)], 1000).spin == 1000


def test_every_cost_can_be_set_and_read() -> None:
    """The table, its attributes and the keys of [cost] are the same names."""
    names = [cost.name for cost in COSTS]
    costs = CostTable([(name, 1000 * index + 1000) for index, name in enumerate(names)])
    assert [getattr(costs, name) for name in names] == [
        1000 * index + 1000 for index in range(len(names))
    ]
    assert run_free(HANDLED, *(f"cost.{name}=1us" for name in names)).of("print")


def test_costs_in_the_scenario_are_those_of_the_run() -> None:
    """As overrides are."""
    text = table("cost", irq_entry="9us") + HANDLED
    free_but = [f"cost.{cost.name}=0s" for cost in COSTS if cost.name != "irq_entry"]
    assert run(text, *free_but).one("irq_handler_entry").time_us == 1009
