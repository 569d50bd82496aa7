"""The laws of the fair class: kernel/sched/fair.c, CFS up to 6.5, EEVDF from 6.6 on."""

from __future__ import annotations

from itertools import pairwise

import pytest

from irqsim.kernel import cfs
from irqsim.kernel.load import weight_of
from irqsim.kernel.sched import RunQueue
from irqsim.kernel.state import SCHED_IDLE, SCHED_NORMAL, Kernel, Task
from tests.kernel_scenarios import Outcome, device, kernel, lasting, run_free, table, task

ONE_CPU = table("machine", cpus=1)


def _ran_us(outcome: Outcome, name: str) -> int:
    """How long a task was on CPU 0."""
    total = 0
    for begin, end in pairwise(outcome.of("sched_switch", cpu=0)):
        if begin.gist.endswith(f">{name}"):
            total += end.time_us - begin.time_us
    return total


@pytest.mark.parametrize(
    ("nice", "weight"),
    [(-20, 88761), (-10, 9548), (-1, 1277), (0, 1024), (1, 820), (5, 335), (10, 110), (19, 15)],
)
def test_weight_follows_the_nice_value(nice: int, weight: int) -> None:
    """A step is about a quarter.  Source: kernel/sched/core.c: sched_prio_to_weight."""
    assert weight_of(SCHED_NORMAL, nice) == weight
    assert weight_of(SCHED_IDLE, nice) == 3


@pytest.mark.parametrize("release", ["6.1", "6.12"])
@pytest.mark.parametrize("nice", [0, 5])
def test_two_tasks_share_a_cpu_by_their_weights(release: str, nice: int) -> None:
    """Up to one tick and slice.  Source: calc_delta_fair(), avg_vruntime()."""
    outcome = run_free(
        lasting("801ms")
        + kernel(release=release)
        + task("a", ["run 2s"], cpu=0)
        + task("b", ["run 2s"], cpu=0, nice=nice)
    )
    expected_us = 800_000 * 1024 // (1024 + weight_of(SCHED_NORMAL, nice))
    assert abs(_ran_us(outcome, "a") - expected_us) <= 30_000


def test_two_tasks_of_cfs_change_at_the_tick_after_their_slice() -> None:
    """One CPU: latency 6 ms, so 3 ms each, seen at the tick of 4 ms.

    Source: sched_slice(), check_preempt_tick() of 6.1.
    """
    outcome = run_free(
        lasting("21ms") + ONE_CPU + task("a", ["run 50ms"]) + task("b", ["run 50ms"])
    )
    changes = [line.time_us for line in outcome.of("sched_switch")][1:]
    assert changes == [4000, 8000, 12000, 16000, 20000]


def test_the_latency_of_cfs_grows_with_the_cpus() -> None:
    """Four CPUs: 18 ms, so 9 ms each, seen at the tick of 12 ms.

    Source: get_update_sysctl_factor(): 1 + ilog2(CPUs, at most 8).
    """
    outcome = run_free(
        lasting("41ms") + task("a", ["run 99ms"], cpu=0) + task("b", ["run 99ms"], cpu=0)
    )
    changes = outcome.of("sched_switch", cpu=0)[1:]
    assert [line.time_us for line in changes] == [12000, 24000, 36000]
    assert {line.gist for line in changes} == {"a:R>b", "b:R>a"}


def test_two_tasks_of_eevdf_change_at_every_tick() -> None:
    """The slice is 0.75 ms * 3: over at each tick of 4 ms.

    Source: update_deadline(), sysctl_sched_base_slice of 6.12.
    """
    outcome = run_free(
        lasting("21ms")
        + kernel(release="6.12")
        + task("a", ["run 50ms"], cpu=0)
        + task("b", ["run 50ms"], cpu=0)
    )
    changes = [line.time_us for line in outcome.of("sched_switch", cpu=0)][1:]
    assert changes == [4000, 8000, 12000, 16000, 20000]


def test_a_task_alone_is_not_switched_by_the_tick() -> None:
    """Source: entity_tick(): nr_running > 1."""
    outcome = run_free(task("a", ["run 100ms"], cpu=0))
    assert outcome.switches() == ["swapper/0:R>a", "a:X>swapper/0"]


def test_cfs_lets_who_slept_long_preempt_at_once() -> None:
    """It is placed half a latency back: far more than a wake-up granularity.

    Source: place_entity(), wakeup_preempt_entity() of 6.1.
    """
    outcome = run_free(
        task("sleeper", ["msleep 40ms", "run 1ms"], cpu=0)
        + task("hog", ["run 150ms"], cpu=0)
    )
    woken = outcome.of("sched_wakeup", gist="sleeper")[-1].time_us
    assert outcome.times("sched_switch", "hog:R>sleeper")[-1] == woken


def test_cfs_lets_a_nice_task_wait_for_the_tick() -> None:
    """Its wake-up granularity is by its weight: 3 ms * 1024/110 is more than it is put back.

    Source: wakeup_gran(), wakeup_preempt_entity(), check_preempt_tick() of 6.1.
    """
    outcome = run_free(
        task("sleeper", ["msleep 40ms", "run 1ms"], cpu=0, nice=10)
        + task("hog", ["run 200ms"], cpu=0)
    )
    woken = outcome.of("sched_wakeup", gist="sleeper")[-1].time_us
    assert woken + 4000 in outcome.times("sched_switch", "hog:R>sleeper")
    assert woken not in outcome.times("sched_switch")


@pytest.mark.parametrize("release", ["4.19", "6.1", "6.6", "6.12"])
def test_an_idle_policy_task_is_preempted_at_once(release: str) -> None:
    """By any other, on every release.  Source: check_preempt_wakeup(): task_has_idle_policy."""
    outcome = run_free(
        kernel(release=release)
        + task("idler", ["run 30ms"], cpu=0, policy="idle")
        + task("a", ["run 1ms"], cpu=0, start="5ms")
    )
    assert outcome.times("sched_switch", "idler:R>a")[0] == 5000


@pytest.mark.parametrize("release", ["6.1", "6.12"])
def test_an_idle_policy_task_that_wakes_preempts_nobody(release: str) -> None:
    """Source: check_preempt_wakeup(): task_has_idle_policy()."""
    outcome = run_free(
        kernel(release=release)
        + task("a", ["run 3ms", "trace_printk done"], cpu=0)
        + task("idler", ["run 1ms"], cpu=0, policy="idle", start="1ms")
    )
    assert outcome.said_at("done") == 3000


def test_ksoftirqd_preempts_a_user_task_at_once_on_cfs() -> None:
    """It has slept since boot.  Source: place_entity() of 6.1."""
    outcome = run_free(
        table("softirq", BLOCK=["run 2ms", "raise_softirq BLOCK"])
        + lasting("30ms")
        + task("u", ["run 60ms"], cpu=0)
        + device("d", ["9ms"], ["raise_softirq BLOCK"])
    )
    woken = outcome.one("sched_waking", "ksoftirqd/0").time_us
    assert outcome.times("sched_switch", "u:R>ksoftirqd/0")[0] == woken


@pytest.mark.parametrize("release", ["6.1", "6.12"])
def test_sched_yield_lets_another_fair_task_run(release: str) -> None:
    """R: it stays runnable.  Source: yield_task_fair()."""
    outcome = run_free(
        kernel(release=release)
        + task("a", ["run 1ms", "sched_yield", "trace_printk again"], cpu=0)
        + task("b", ["run 500us"], cpu=0)
    )
    assert outcome.switches()[1] == "a:R>b"
    assert outcome.said() == ["again"]


def test_three_tasks_take_turns() -> None:
    """Nobody runs twice before the others ran: the least virtual runtime is picked.

    Source: pick_next_entity() of 6.1.
    """
    outcome = run_free(
        lasting("100ms") + ONE_CPU + "".join(task(name, ["run 99ms"]) for name in "abc")
    )
    order = [name.partition(">")[2] for name in outcome.switches()]
    assert order == (["a", "b", "c"] * 20)[: len(order)]
    assert len(order) >= 12


@pytest.mark.parametrize(
    ("release", "duration", "stays"),
    [("6.12", "1500us", True), ("6.12", "20ms", False), ("6.6", "1500us", False)],
)
def test_who_sleeps_ahead_of_its_share_stays_queued_until_it_has_paid(
    release: str, duration: str, stays: bool
) -> None:
    """DELAY_DEQUEUE, and DELAY_ZERO when it leaves.

    Source: dequeue_entity(), pick_next_entity(), finish_delayed_dequeue_entity() of 6.12.
    """
    outcome = run_free(
        lasting(duration)
        + kernel(release=release)
        + task("a", ["run 1ms", "schedule"], cpu=0)
        + task("b", ["run 90ms"], cpu=0)
        + task("c", ["run 90ms"], cpu=0)
    )
    assert "a:S>" in outcome.of("sched_switch", cpu=0)[1].gist
    cpu = outcome.simulation.kernel.cpus[0]
    sleeper = next(each for each in outcome.simulation.kernel.tasks if each.comm == "a")
    assert (sleeper in cpu.rq.fair, sleeper.is_delayed, sleeper.on_rq) == (stays,) * 3
    if release == "6.12" and not stays:
        assert sleeper.vlag_ns == 0


def test_who_is_woken_before_it_has_paid_goes_on_from_its_place() -> None:
    """It is on the run queue all the time: the waker puts it nowhere, and sends nothing.

    Source: ttwu_runnable(), requeue_delayed_entity() of 6.12.
    """
    outcome = run_free(
        lasting("9ms")
        + kernel(release="6.12")
        + task("a", ["run 1ms", "schedule", "trace_printk again"], cpu=0)
        + task("b", ["run 90ms"], cpu=0)
        + task("c", ["run 90ms"], cpu=0)
        + device("d", ["1200us"], ["wake_up_process a"], affinity=[1])
    )
    assert outcome.one("sched_wakeup", "a", cpu=1).time_us == 1200
    assert outcome.of("ipi_raise", cpu=1) == []
    assert outcome.said() == ["again"]


@pytest.mark.parametrize(("nice", "at_once"), [(10, True), (0, False)])
def test_a_slice_is_kept_only_by_who_is_not_ahead(nice: int, at_once: bool) -> None:
    """The hog is ahead of the average, in the middle of its slice: who wakes with the earliest
    deadline preempts it.

    Source: pick_eevdf(): entity_eligible(curr) comes before RUN_TO_PARITY.
    """
    outcome = run_free(
        lasting("9ms")
        + kernel(release="6.12")
        + task("hog", ["run 90ms"], cpu=0)
        + task("other", ["run 90ms"], cpu=0, nice=nice)
        + task("woken", ["run 100us"], cpu=0, start="1ms")
    )
    assert (1000 in outcome.times("sched_switch", "hog:R>woken")) == at_once


def _queue(**vruntimes_ms: int) -> tuple[Kernel, RunQueue, dict[str, Task]]:
    """A kernel with four CPUs, where a wake-up granularity is 3 ms, and a queue of tasks."""
    rq = RunQueue()
    tasks = {name: Task(name, 200 + n, (0,)) for n, name in enumerate(vruntimes_ms)}
    for name, vruntime_ms in vruntimes_ms.items():
        tasks[name].vruntime_ns = vruntime_ms * 1_000_000
        rq.fair.append(tasks[name])
    return run_free(lasting("1ms")).simulation.kernel, rq, tasks


@pytest.mark.parametrize(("other_ms", "picked"), [(5, "woken"), (4, "other")])
def test_who_asked_for_the_preemption_runs_first_on_cfs(other_ms: int, picked: str) -> None:
    """Before the least virtual runtime, unless that is a wake-up granularity behind.

    Source: set_next_buddy(), pick_next_entity() of 6.1.
    """
    k, rq, tasks = _queue(other=other_ms, woken=8)
    current = Task("hog", 300, (0,))
    current.vruntime_ns = 12_000_000
    assert cfs.preempts_at_wakeup(k, rq, current, tasks["woken"])
    assert cfs.pick(k, rq, current) is tasks[picked]


@pytest.mark.parametrize(("other_ms", "picked"), [(8, "other"), (9, "yielder")])
def test_who_yielded_is_passed_over_on_cfs(other_ms: int, picked: str) -> None:
    """Unless the next is more than a wake-up granularity ahead of it.

    Source: set_skip_buddy(), pick_next_entity() of 6.1.
    """
    k, rq, tasks = _queue(other=other_ms)
    current = tasks["yielder"] = Task("yielder", 300, (0,))
    current.vruntime_ns = 5_000_000
    cfs.yield_task(rq, current)
    assert cfs.pick(k, rq, current) is tasks[picked]


@pytest.mark.parametrize(
    ("release", "text"),
    [
        ("6.1", "comm=a pid=100 runtime=2000000 [ns] vruntime=10002000000 [ns]"),
        ("6.12", "comm=a pid=100 runtime=2000000 [ns]"),
    ],
)
def test_what_a_task_is_charged_for_is_recorded(release: str, text: str) -> None:
    """At each look at its account, with its run queue locked.  Source: update_curr()."""
    outcome = run_free(kernel(release=release) + task("a", ["run 2ms", "schedule"], cpu=0))
    charged = outcome.one("sched_stat_runtime")
    assert (charged.letters, charged.text, charged.time_us) == ("d....", text, 2000)
