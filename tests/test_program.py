"""The laws of steps as they run: control steps, random durations, where code is user or kernel."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import (
    Outcome,
    Steps,
    Toml,
    device,
    hrtimer,
    kernel,
    lasting,
    run,
    run_free,
    table,
    task,
    tasklet,
    timer,
    work,
)

# -- control steps -----------------------------------------------------------------------


def test_repeat_does_its_steps_so_often() -> None:
    """And goes on behind them."""
    steps: Steps = [{"repeat": 3, "do": ["run 1us", "trace_printk r"]}, "trace_printk end"]
    outcome = run_free(device("d", ["1ms"], steps))
    assert outcome.said() == ["r", "r", "r", "end"]
    assert outcome.said_at("end") == 1003


def test_repeat_of_none_does_nothing() -> None:
    """Zero is a count."""
    outcome = run(device("d", ["1ms"], [{"repeat": 0, "do": ["trace_printk r"]}]))
    assert outcome.said() == []


def test_return_ends_a_handler_inside_control_steps() -> None:
    """What stands behind does not run."""
    inner: dict[str, Toml] = {"repeat": 5, "do": ["trace_printk once", "return IRQ_NONE"]}
    outcome = run(device("d", ["1ms"], [{"repeat": 2, "do": [inner]}, "trace_printk never"]))
    assert outcome.said() == ["once"]
    assert outcome.gists("irq_handler_exit") == ["unhandled"]


@pytest.mark.parametrize(("chance", "said"), [(0, "no"), (1, "yes")])
def test_a_certain_chance(chance: int, said: str) -> None:
    """0 never, 1 always."""
    step: dict[str, Toml] = {
        "chance": chance, "do": ["trace_printk yes"], "else": ["trace_printk no"],
    }  # fmt: skip
    assert run(device("d", ["1ms", "2ms", "3ms"], [step])).said() == [said] * 3


def test_a_chance_is_about_what_it_says() -> None:
    """A quarter of 2000, within five standard deviations."""
    step: dict[str, Toml] = {"chance": 0.25, "do": ["trace_printk yes"]}
    outcome = run_free(device("d", {"every": "10us", "count": 2000}, [step]))
    assert 400 < len(outcome.said()) < 600


ASKS: dict[str, str] = {
    "handler": "in_interrupt in_hardirq irqs_disabled",
    "softirq": "in_interrupt in_softirq",
    "tasklet": "in_interrupt in_softirq",
    "timer": "in_interrupt in_softirq",
    "hard": "in_interrupt in_hardirq irqs_disabled",
    "soft": "in_interrupt in_softirq",
    "work": "in_task",
    "thread": "in_task",
    "task": "in_task",
    "bh": "in_interrupt in_softirq in_task",
    "irqsoff": "in_task irqs_disabled",
}
"""Which tests are true where: bottom halves off is "in softirq" and "in interrupt" as well.

Source: include/linux/preempt.h.
"""
TESTS = ("in_interrupt", "in_hardirq", "in_softirq", "in_task", "irqs_disabled")


def _asking(who: str) -> list[str | dict[str, Toml]]:
    return [{"if": test, "do": [f"trace_printk {who} {test}"]} for test in TESTS]


@pytest.fixture(scope="module")
def asked() -> Outcome:
    """Every context asks where it is."""
    soft = {"mode": "soft"}
    return run(
        device("d", ["1ms"], [*_asking("handler"), "raise_softirq BLOCK", "tasklet_schedule t",
                              "queue_work w", "return IRQ_WAKE_THREAD"], thread=_asking("thread"))
        + table("softirq", BLOCK=_asking("softirq"))
        + table("[tasklet]", name="t", run=_asking("tasklet"))
        + table("[timer]", name="tm", run=_asking("timer"), expires="4ms")
        + table("[hrtimer]", name="h", run=_asking("hard"), expires="6ms")
        + table("[hrtimer]", name="s", run=_asking("soft"), expires="7ms", **soft)
        + table("[work]", name="w", run=_asking("work"))
        + task("a", [*_asking("task"), "local_bh_disable", *_asking("bh"), "local_bh_enable",
                     "local_irq_disable", *_asking("irqsoff"), "local_irq_enable"], cpu=1)
    )  # fmt: skip


@pytest.mark.parametrize("who", ASKS)
def test_a_context_knows_itself(asked: Outcome, who: str) -> None:
    """in_interrupt() and its kin.  Source: include/linux/preempt.h."""
    told = [words.removeprefix(f"{who} ") for words in asked.said() if words.startswith(f"{who} ")]
    assert told == ASKS[who].split()


# -- random durations --------------------------------------------------------------------

RANDOM = device("a", {"every": "100us", "count": 50}, ["run 1us..20us", "trace_printk a"])


def _times(outcome: Outcome, words: str) -> list[int]:
    return [line.time_us for line in outcome.of("print") if line.gist == words]


def test_the_same_seed_draws_the_same() -> None:
    """And another seed does not."""
    first = _times(run_free(RANDOM), "a")
    assert first == _times(run_free(RANDOM), "a")
    assert first != _times(run_free(RANDOM, "run.seed=1"), "a")


def test_adding_a_device_moves_nobody_else() -> None:
    """Each draws from a stream of its own."""
    other = device("b", {"poisson": "70us", "count": 50}, ["run ~8us"], spi=2, affinity=[1])
    assert _times(run_free(RANDOM), "a") == _times(run_free(other + RANDOM), "a")


def test_durations_stay_within_their_bounds() -> None:
    """Uniform, both ends included."""
    times = _times(run_free(RANDOM), "a")
    spans = [time % 100 for time in times]
    assert all(1 <= span <= 20 for span in spans)
    assert len(set(spans)) > 10


# -- user and kernel ---------------------------------------------------------------------


def test_run_of_a_user_task_is_user_code() -> None:
    """Preempted at once, on its way back from the interrupt: R."""
    outcome = run_free(
        task("u", ["run 3ms"], cpu=0)
        + task("f", ["run 1us"], cpu=0, policy="fifo", start="1ms")
    )
    assert outcome.one("sched_switch", "u:R>f").time_us == 1000


def test_run_of_a_user_task_that_holds_something_off_is_kernel_code() -> None:
    """A driver's section: it ends before anybody else runs."""
    outcome = run_free(
        task("u", ["local_bh_disable", "run 3ms", "local_bh_enable", "run 1ms"], cpu=0)
        + task("f", ["run 1us"], cpu=0, policy="fifo", start="1ms")
    )
    assert outcome.one("sched_switch", "u:R>f").time_us == 3000


def test_a_step_of_a_user_task_is_a_system_call() -> None:
    """It costs `cost.syscall` to enter the kernel."""
    steps = ["run 100us", "trace_printk in", "trace_printk more", "run 100us", "trace_printk out"]
    outcome = run_free(task("u", steps, cpu=0), "cost.syscall=5us")
    assert outcome.said_at("in") == outcome.said_at("more") == 105
    assert outcome.said_at("out") == 210


def test_a_looping_task_starts_over() -> None:
    """Until the run ends."""
    outcome = run_free(lasting("3500us") + task("a", ["run 1ms", "trace_printk x"], loop=True))
    assert [line.time_us for line in outcome.of("print")] == [1000, 2000, 3000]


def test_a_task_starts_at_its_time() -> None:
    """Not before, whoever wakes it."""
    outcome = run_free(
        task("a", ["trace_printk a"], cpu=0, start="5ms")
        + device("d", ["1ms"], ["wake_up_process a"])
    )
    assert outcome.said_at("a") == 5000
    assert outcome.of("sched_waking") == []


@pytest.mark.parametrize(
    ("text", "function"),
    [
        (device("eth 0", ["1ms"], ["trace_printk x"]), "eth_0_irq"),
        (device("eth0", ["1ms"], thread=["trace_printk x"], flags=["IRQF_ONESHOT"]), "eth0_thread"),
        (tasklet("t-1", "trace_printk x") + device("d", ["1ms"], ["tasklet_schedule t-1"]), "t_1"),
        (work("w", "trace_printk x") + device("d", ["1ms"], ["queue_work w"]), "w"),
        (timer("9t", "trace_printk x", expires="4ms"), "_9t"),
        (hrtimer("h", "trace_printk x", expires="4ms"), "h"),
        (task("a", ["trace_printk x"]), "a"),
        (table("softirq", BLOCK=["trace_printk x"])
         + device("d", ["1ms"], ["raise_softirq BLOCK"]), "block_action"),
    ],
)  # fmt: skip
def test_trace_printk_names_the_function_that_called(text: str, function: str) -> None:
    """NAME_irq, NAME_thread, or the thing's own name; what is no identifier becomes `_`."""
    assert run(text).one("print").text == f"{function}: x"


def test_trace_printk_is_not_filtered() -> None:
    """`trace.events` has no say in it."""
    text = device("d", ["1ms"], ["trace_printk x"])
    outcome = run(text, 'trace.events=["irq:irq_handler_exit"]')
    assert [line.event for line in outcome.lines] == ["print", "irq_handler_exit"]


def test_a_handler_runs_its_steps_whoever_asked_for_service() -> None:
    """A driver on a shared line has to look.  Source: the scenario's contract."""
    flags: Toml = ["IRQF_SHARED"]
    outcome = run(
        device("a", ["1ms"], ["trace_printk a"], flags=flags)
        + device("b", [], ["trace_printk b"], flags=flags)
    )
    assert outcome.said() == ["a", "b"]


@pytest.mark.parametrize(
    ("ack", "asserted_us"), [("start", 0), ("end", 100), ("explicit", 40)]
)
def test_when_a_device_is_quieted(ack: str, asserted_us: int) -> None:
    """At the handler's start, at its end, or where it says so."""
    steps = ["run 40us", *(["ack"] if ack == "explicit" else []), "run 60us"]
    # An arrival 1 us before the ack is swallowed by it, one after it is not.
    early, late = 1000 + asserted_us - 1, 1000 + asserted_us + 1
    text = kernel(hz=250) + device("d", ["1ms", f"{late}us"], steps, ack=ack)
    assert len(run_free(text).of("irq_handler_entry")) == 2
    if asserted_us:
        text = text.replace(f"{late}us", f"{early}us")
        assert len(run_free(text).of("irq_handler_entry")) == 1


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("preempt_disable", "preempt_enable"),
        ("spin_lock L", "spin_unlock L"),
        ("mutex_lock M", "mutex_unlock M"),
    ],
)
def test_a_user_task_stays_in_the_kernel_while_it_holds_something(
    opening: str, closing: str
) -> None:
    """It gives way on its way back only, though nothing counts what it holds."""
    outcome = run_free(
        task("a", [opening, "run 1ms", closing, "run 1ms"], cpu=0)
        + task("b", ["run 100us"], cpu=0, start="500us", policy="fifo")
    )
    assert outcome.one("sched_switch", "a:R>b").time_us == 1000
