"""The laws of workqueues: kernel/workqueue.c."""

from __future__ import annotations

import re

import pytest

from tests.kernel_scenarios import Outcome, device, kernel, lasting, run, run_free, task, work


def _workers(outcome: Outcome, name: str | None = None) -> list[str]:
    """Who ran the works."""
    return [line.comm for line in outcome.of("workqueue_execute_start", gist=name)]


@pytest.mark.parametrize(
    ("queue", "comm", "prio"),
    [
        ("system_wq", "kworker/0:1", 120),
        ("system_highpri_wq", "kworker/0:1H", 100),
        ("system_unbound_wq", "kworker/u8:0", 120),
    ],
)
def test_workers_are_named_after_their_pool(queue: str, comm: str, prio: int) -> None:
    """CPU, number, H for nice -20; unbound: u and the pool's number, behind two for each CPU.

    Source: create_worker().
    """
    outcome = run(work("w", queue=queue) + device("d", ["1ms"], ["queue_work w"]))
    assert _workers(outcome) == [comm]
    assert f"comm={comm} " in outcome.one("sched_waking").text
    assert f" prio={prio} " in outcome.one("sched_waking").text


def test_the_events_of_a_work_in_order() -> None:
    """Queued, activated, the worker woken; started, ended.

    Source: __queue_work(), insert_work(), process_one_work().
    """
    outcome = run(work("w", "trace_printk at work") + device("d", ["1ms"], ["queue_work w"]))
    names = [
        line.event
        for line in outcome.lines
        if line.event.startswith(("workqueue", "sched_wa", "print"))
    ]
    assert names == [
        "workqueue_queue_work",
        "workqueue_activate_work",
        "sched_waking",
        "sched_wakeup",
        "workqueue_execute_start",
        "print",
        "workqueue_execute_end",
    ]
    assert outcome.letters("at work") == "....."


def test_a_work_is_queued_for_any_cpu_and_goes_here() -> None:
    """req_cpu is WORK_CPU_UNBOUND, NR_CPUS of the build; cpu where it was queued.

    Source: queue_work(), __queue_work().
    """
    outcome = run(work("w") + device("d", ["1ms"], ["queue_work w"], affinity=[2]))
    queued = outcome.one("workqueue_queue_work")
    assert queued.text.endswith("workqueue=events req_cpu=256 cpu=2")
    assert _workers(outcome) == ["kworker/2:1"]


@pytest.mark.parametrize("release", ["4.19", "5.10"])
def test_older_releases_print_the_address_of_the_queue(release: str) -> None:
    """Source: include/trace/events/workqueue.h before 5.13: TP_printk of workqueue_queue_work."""
    doc = work("w") + work("v", queue="system_highpri_wq") + kernel(release=release)
    outcome = run(doc + device("d", ["1ms", "2ms"], ["queue_work w", "queue_work v"]))
    texts = [line.text.split("workqueue=")[1] for line in outcome.of("workqueue_queue_work")]
    assert len(texts) == 4
    assert all(re.fullmatch(r"[0-9a-f]{16} req_cpu=256 cpu=0", text) for text in texts)
    assert texts[0] == texts[2] != texts[1] == texts[3]


def test_queue_work_on_names_the_cpu() -> None:
    """The worker of that CPU is woken there.  Source: queue_work_on()."""
    outcome = run(work("w") + device("d", ["1ms"], ["queue_work_on 3 w"]))
    assert outcome.one("workqueue_queue_work").text.endswith("req_cpu=3 cpu=3")
    assert outcome.one("workqueue_execute_start").cpu == 3


def test_a_work_that_waits_is_not_queued_twice() -> None:
    """WORK_STRUCT_PENDING: one event, one run.  Source: queue_work_on(): test_and_set_bit()."""
    outcome = run(work("w", "run 5us") + device("d", ["1ms"], ["queue_work w"] * 3))
    assert len(outcome.of("workqueue_queue_work")) == 1
    assert len(_workers(outcome)) == 1


def test_a_work_that_runs_can_be_queued_again() -> None:
    """PENDING is cleared before it runs: it runs once more, after itself.

    Source: process_one_work(): set_work_pool_and_clear_pending().
    """
    outcome = run(
        work("w", "run 500us")
        + device("d", ["1ms", "1100us", "1200us"], ["queue_work w"])
    )
    assert len(_workers(outcome)) == 2
    first_end = outcome.of("workqueue_execute_end")[0].time_us
    assert outcome.of("workqueue_execute_start")[1].time_us >= first_end


def test_works_run_in_the_order_of_queueing() -> None:
    """By one worker, one after the other.  Source: worker_thread()."""
    outcome = run(
        "".join(work(name, "run 10us") for name in "abc")
        + device("d", ["1ms"], ["queue_work c", "queue_work a", "queue_work b"])
    )
    assert outcome.gists("workqueue_execute_start") == ["c", "a", "b"]
    assert set(_workers(outcome)) == {"kworker/0:1"}
    assert outcome.gists("sched_waking") == ["kworker/0:1"]


def test_a_worker_that_sleeps_lets_the_next_run() -> None:
    """Another worker of the pool is woken as it goes to sleep.

    Source: wq_worker_sleeping().
    """
    outcome = run_free(
        work("slow", "msleep 5ms")
        + work("quick", "trace_printk quick")
        + device("d", ["1ms"], ["queue_work slow", "queue_work quick"])
    )
    assert outcome.said_at("quick") == 1000
    assert len(set(_workers(outcome))) == 2
    assert outcome.gists("workqueue_execute_end") == ["quick", "slow"]
    assert "kworker/0:1:D>kworker/0:2" in outcome.switches()


def test_a_worker_that_runs_keeps_the_next_waiting() -> None:
    """One at a time, while it does not sleep: nr_running.  Source: need_more_worker()."""
    outcome = run_free(
        work("slow", "run 5ms")
        + work("quick", "trace_printk quick")
        + device("d", ["1ms"], ["queue_work slow", "queue_work quick"])
    )
    assert outcome.said_at("quick") == 6000


def test_pools_do_not_wait_for_each_other() -> None:
    """High priority has workers of its own, of nice -20.  Source: cpu_worker_pools."""
    outcome = run_free(
        kernel(preempt="full")
        + work("slow", "run 50ms")
        + work("high", "trace_printk high", queue="system_highpri_wq")
        + device("d", ["1ms"], ["queue_work slow"])
        + device("e", ["3ms"], ["queue_work high"], spi=2)
    )
    assert outcome.said_at("high") == 3000


def test_unbound_works_leave_a_busy_cpu() -> None:
    """Their worker may run anywhere.  Source: unbound_std_wq_attrs; select_task_rq()."""
    outcome = run(
        task("a", ["run 9ms"], cpu=0)
        + work("w", "run 1ms", queue="system_unbound_wq")
        + device("d", ["1ms"], ["queue_work w"])
    )
    start = outcome.one("workqueue_execute_start")
    assert start.cpu != 0
    assert start.time_us < 1100


def test_workers_sleep_in_state_i() -> None:
    """TASK_IDLE: no load.  Source: worker_thread(): __set_current_state(TASK_IDLE)."""
    outcome = run(work("w") + device("d", ["1ms"], ["queue_work w"]))
    assert outcome.switches()[-1] == "kworker/0:1:I>swapper/0"


def test_delayed_work_is_queued_by_a_timer() -> None:
    """From the TIMER softirq, a jiffy later than asked.  Source: delayed_work_timer_fn()."""
    outcome = run_free(work("w") + device("d", ["2500us"], ["queue_delayed_work w 6ms"]))
    queued = outcome.one("workqueue_queue_work")
    assert (queued.time_us, queued.letters) == (12_000, "d.s..")
    assert outcome.one("timer_start").gist == "delayed_work_timer_fn"


def test_delayed_work_without_delay_is_queued_at_once() -> None:
    """No timer.  Source: __queue_delayed_work()."""
    outcome = run(work("w") + device("d", ["1ms"], ["queue_delayed_work w 0ms"]))
    assert outcome.of("timer_start") == []
    assert len(_workers(outcome)) == 1


def test_a_work_that_waits_for_its_timer_is_pending() -> None:
    """queue_work() does nothing until the timer has queued it.

    Source: queue_delayed_work_on(): test_and_set_bit(WORK_STRUCT_PENDING_BIT).
    """
    outcome = run_free(
        work("w") + device("d", ["1ms"], ["queue_delayed_work w 20ms", "queue_work w"])
    )
    assert outcome.times("workqueue_execute_start") == [24_000]


def test_a_worker_is_preempted_between_works_by_cond_resched() -> None:
    """R+.  Source: process_one_work(): cond_resched()."""
    outcome = run_free(
        work("a", "run 5ms")
        + work("b", "run 1us")
        + task("f", ["schedule", "run 1us"], cpu=0, policy="fifo")
        + device("d", ["1ms"], ["queue_work a", "queue_work b"])
        + device("e", ["3ms"], ["wake_up_process f"], spi=2)
    )
    assert outcome.one("sched_switch", "kworker/0:1:R+>f").time_us == 6000


def test_a_work_may_queue_itself() -> None:
    """It comes again after the others.  Source: process_one_work()."""
    outcome = run(
        lasting("2ms")
        + work("w", "run 100us", "queue_work w")
        + work("v", "run 10us")
        + device("d", ["1ms"], ["queue_work w", "queue_work v"])
    )
    assert outcome.gists("workqueue_execute_start")[:4] == ["w", "v", "w", "w"]


@pytest.mark.parametrize("release", ["4.19", "5.10", "6.1", "6.6", "6.12"])
def test_works_run_on_every_release(release: str) -> None:
    """Source: kernel/workqueue.c."""
    outcome = run(kernel(release=release) + work("w") + device("d", ["1ms"], ["queue_work w"]))
    assert _workers(outcome) == ["kworker/0:1"]


def test_a_work_does_not_run_beside_itself() -> None:
    """Queued again while it sleeps, it waits for the worker that runs it; the worker that was
    woken for it goes back to sleep.  Source: find_worker_executing_work().
    """
    outcome = run_free(
        work("w", "msleep 8ms") + device("d", ["1ms", "2ms"], ["queue_work w"], affinity=[0])
    )
    ran = outcome.of("workqueue_execute_start", "workqueue_execute_end")
    assert [line.event[-3:] for line in ran] == ["art", "end", "art", "end"]
    assert len({line.comm for line in ran}) == 1
    assert "kworker/0:2:I>swapper/0" in outcome.switches()


def test_a_work_that_runs_is_queued_where_it_runs() -> None:
    """Whatever CPU was asked for; nobody is woken, since its worker is at work.

    Source: __queue_work(): last_pool.
    """
    outcome = run_free(
        work("w", "run 500us")
        + device("d", ["1ms"], ["queue_work w"], affinity=[0])
        + device("e", ["1200us"], ["queue_work w"], affinity=[1], spi=2)
    )
    assert [line.text[-17:] for line in outcome.of("workqueue_queue_work", cpu=1)] == [
        "req_cpu=256 cpu=0"
    ]
    assert outcome.of("sched_waking", cpu=1) == []
    assert [line.cpu for line in outcome.of("workqueue_execute_start")] == [0, 0]


def test_the_unbound_pool_runs_its_works_side_by_side() -> None:
    """Its workers are not counted.  Source: WORKER_NOT_RUNNING, need_more_worker()."""
    outcome = run_free(
        work("a", "run 500us", queue="system_unbound_wq")
        + work("b", "run 500us", queue="system_unbound_wq")
        + device("d", ["1ms"], ["queue_work a", "queue_work b"], affinity=[0])
    )
    assert outcome.times("workqueue_execute_start") == [1000, 1000]
    assert outcome.of("workqueue_queue_work")[0].text.endswith("req_cpu=256 cpu=-1")
