"""The laws of time: who acts at one instant, what a stretch owes, and when a run ends."""

from __future__ import annotations

import pytest

from irqsim.engine import INSTANT_STEPS_MAX
from irqsim.errors import LimitError
from irqsim.scenario.reader import read_text
from irqsim.simulation import build
from tests.kernel_scenarios import Toml, device, kernel, lasting, run, run_free, table, task

# -- one instant -------------------------------------------------------------------------


def test_at_one_instant_the_hardware_acts_first() -> None:
    """A line that rises as a section ends is taken before the task goes on."""
    outcome = run_free(
        task("a", ["run 1ms", "trace_printk after"], cpu=0) + device("d", ["1ms"], ["run 50us"])
    )
    assert outcome.gists("irq_handler_entry", "print") == ["d", "after"]
    assert outcome.said_at("after") == 1050


def test_then_the_cpus_act_in_ascending_number() -> None:
    """Both want the lock now: the lower CPU has it, however they stand in the scenario."""
    wants = ["run 1ms", "spin_lock L", "trace_printk mine", "run 10us", "spin_unlock L"]
    outcome = run_free(
        task("b", wants, cpu=2, mode="kernel") + task("a", wants, cpu=1, mode="kernel")
    )
    assert [line.cpu for line in outcome.of("print")] == [1, 2]


def test_what_a_cpu_does_to_a_lower_one_comes_after_it_in_time() -> None:
    """The log of an instant is by CPU, and no record is before its cause in time."""
    outcome = run_free(
        task("low", ["schedule", "trace_printk woken"], cpu=0, policy="fifo")
        + device("d", ["1ms"], ["wake_up_process low"], affinity=[3])
    )
    assert outcome.said_at("woken") >= outcome.of("sched_waking", gist="low")[-1].time_us
    keys = [(line.time_us, line.cpu) for line in outcome.lines]
    assert keys == sorted(keys)


def test_an_interrupt_ends_a_stretch_and_the_rest_is_owed() -> None:
    """However often it happens."""
    outcome = run_free(
        task("a", ["run 10ms", "trace_printk done"], cpu=0)
        + device("d", {"every": "1ms", "count": 8}, ["run 250us"])
    )
    assert outcome.said_at("done") == 12_000


def test_a_stretch_of_a_preempted_task_is_owed_too() -> None:
    """A task switch swaps the whole stack."""
    outcome = run_free(
        task("a", ["run 10ms", "trace_printk done"], cpu=0)
        + task("f", ["run 3ms"], cpu=0, policy="fifo", start="4ms")
    )
    assert outcome.said_at("done") == 13_000


def test_each_instant_of_a_cpu_is_accounted_once() -> None:
    """Hard interrupt, softirq, system, user, idle: together the run's length."""
    outcome = run_free(
        lasting("10ms")
        + table("softirq", BLOCK=["run 2ms"])
        + task("a", ["run 3ms", "syscall 1ms"], cpu=0)
        + device("d", ["1ms"], ["run 500us", "raise_softirq BLOCK"])
    )
    time = outcome.simulation.kernel.cpus[0].time
    assert (time.hardirq_ns, time.softirq_ns) == (500_000, 2_000_000)
    assert (time.user_ns, time.system_ns) == (3_000_000, 1_000_000)
    assert time.idle_ns == 3_500_000


# -- the end -----------------------------------------------------------------------------


def test_a_run_ends_when_nothing_is_left_to_happen() -> None:
    """Without a duration: after the last event, not at a later tick."""
    outcome = run_free(device("d", ["5ms"], ["run 10us"]))
    assert outcome.lines[-1].time_us <= 5010


def test_a_run_ends_before_its_duration() -> None:
    """What is due at that very time does not happen."""
    outcome = run_free(lasting("2ms") + device("d", ["1ms", "2ms", "3ms"], []))
    assert outcome.times("irq_handler_entry") == [1000]


def test_a_run_in_slices_is_the_same_run() -> None:
    """Machine.run() may be called again to go on."""
    text = (
        lasting("30ms")
        + kernel(hz=1000)
        + task("a", ["run 5ms", "msleep 2ms"], cpu=0, loop=True)
        + device("d", {"every": "700us"}, ["run 2us..9us", "raise_softirq BLOCK"])
    )
    whole: list[object] = []
    build(read_text(text), whole.extend).machine.run()
    sliced: list[object] = []
    machine = build(read_text(text), sliced.extend).machine
    for end_ns in range(1_234_567, 30_000_000, 1_234_567):
        machine.run(end_ns)
    machine.run(30_000_000)
    assert len(whole) == len(sliced) > 0
    assert whole == sliced


def test_a_panic_ends_the_run_there() -> None:
    """The message is the last of dmesg, and nothing happens afterwards, on any CPU."""
    outcome = run(
        task("a", ["run 20ms"], cpu=1) + device("d", ["5ms"], ["panic out of luck", "run 1us"])
    )
    assert outcome.simulation.panicked
    assert outcome.dmesg[-1].startswith("Kernel panic - not syncing: out of luck")
    assert outcome.lines[-1].time_us <= 5010


# -- limits ------------------------------------------------------------------------------


def test_steps_that_take_no_time_for_ever_are_an_error() -> None:
    """With the CPU, the task and the instant in it."""
    text = lasting("1s") + task("spinner", ["local_irq_enable"], cpu=2, loop=True, mode="kernel")
    with pytest.raises(LimitError, match=rf"CPU 2 acted {INSTANT_STEPS_MAX} times.*spinner"):
        run_free(text)


@pytest.mark.parametrize("step", ["trace_printk round", "cond_resched"])
def test_steps_that_do_nothing_for_ever_are_an_error_too(step: str) -> None:
    """Also those at which no interrupt can land: the loop around them must end."""
    text = lasting("1s") + task("spinner", [step], cpu=2, loop=True, mode="kernel")
    with pytest.raises(LimitError, match=r"CPU 2 .*spinner"):
        run(text)


def test_a_repeat_that_takes_no_time_is_an_error_too() -> None:
    """A billion rounds of nothing in one path: time stands still there as well."""
    body: dict[str, Toml] = {"repeat": 1_000_000_000, "do": []}
    with pytest.raises(LimitError):
        run(device("d", ["1ms"], [body]))


def test_an_interrupt_storm_of_no_duration_is_an_error() -> None:
    """A line that is never quieted, and costs of nothing."""
    with pytest.raises(LimitError, match="without time passing"):
        run_free(lasting("1s") + device("d", ["1ms"], [], ack="never"))


def test_a_long_instant_within_the_limit_is_none() -> None:
    """A thousand raises at one time."""
    body: dict[str, Toml] = {"repeat": 1000, "do": ["raise_softirq BLOCK"]}
    outcome = run_free(device("d", ["1ms"], [body]))
    assert len(outcome.of("softirq_raise")) == 1000
