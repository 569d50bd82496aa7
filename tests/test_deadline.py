"""The laws of deadlines, of polled devices, and of what /proc/irqsim counts."""

from __future__ import annotations

import pytest

from irqsim.proc.errno import FileError
from tests.kernel_scenarios import (
    Outcome,
    Steps,
    Toml,
    device,
    lasting,
    run,
    run_free,
    table,
    task,
    tasklet,
    work,
)
from tests.runs import run_of_seed
from tests.scenarios import fault_of

MISSED = "irqsim: d: deadline missed, served {} after its arrival at {} ({} allowed)"


def _timed(handler: Steps, deadline: str = "1s", **keys: Toml) -> str:
    return device("d", ["1ms"], handler, deadline=deadline, **keys)


def _worst_us(outcome: Outcome, name: str = "d") -> int:
    """What the file says, of a device with a line or of a polled one."""
    return outcome.simulation.machine.latencies[name].worst_ns // 1000


def _served(outcome: Outcome, name: str = "d") -> int:
    return outcome.simulation.machine.latencies[name].count


# -- where a service ends ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "worst_us"),
    [
        (_timed(["run 30us"]), 30),
        (_timed(["run 30us"], ack="end"), 30),
        (_timed(["run 30us", "ack", "run 10us"], ack="explicit"), 40),
        (_timed(["run 30us"], thread=["run 50us"]), 80),
        (device("d", ["1ms"], deadline="1s", thread=["run 50us"], flags=["IRQF_ONESHOT"]), 50),
        (
            _timed(
                ["run 1us"],
                thread=["run 5us", "ack", "run 2us"],
                ack="explicit",
                flags=["IRQF_ONESHOT"],
            ),
            8,
        ),
        (_timed(["run 30us", "raise_softirq BLOCK"]) + table("softirq", BLOCK=["run 8us"]), 38),
        (_timed(["run 30us", "raise_softirq BLOCK"]), 30),
        (_timed(["tasklet_schedule t", "run 30us"]) + tasklet("t", "run 7us"), 37),
        (_timed(["tasklet_hi_schedule t"]) + tasklet("t", "run 7us"), 7),
        (_timed(["queue_work w"]) + work("w", "run 9us"), 9),
        (_timed(["queue_work_on 1 w"]) + work("w", "run 9us"), 9),
        (
            _timed(["run 1us"], thread=["run 2us", "tasklet_schedule t"])
            + tasklet("t", "run 4us", "queue_work w")
            + work("w", "run 8us", "run 16us"),
            31,
        ),
    ],
)
def test_a_service_ends_when_all_that_it_set_off_has_ended(text: str, worst_us: int) -> None:
    """The handler, its thread, softirqs, tasklets and works, and what these hand over to."""
    outcome = run_free(text)
    assert _served(outcome) == 1
    assert _worst_us(outcome) == worst_us


def test_the_time_runs_from_the_arrival() -> None:
    """Not from the handler's entry: what stands in its way counts."""
    outcome = run_free(
        device("a", ["1ms"], ["run 100us"], spi=1, affinity=[0])
        + device("d", ["1010us"], ["run 5us"], spi=2, affinity=[0], deadline="1s")
    )
    assert _worst_us(outcome) == 95


def test_every_arrival_has_its_own_time() -> None:
    """Three that are served together waited 25, 15 and 5 us."""
    busy = device("a", ["1ms"], ["run 30us"], spi=1, affinity=[0])
    late = device("d", ["1005us", "1015us", "1025us"], [], spi=2, affinity=[0], deadline="10us")
    outcome = run_free(busy + late)
    assert _served(outcome) == 3
    assert outcome.simulation.machine.latencies["d"].total_ns == 45_000
    assert outcome.simulation.machine.latencies["d"].nr_missed == 2


def test_a_packet_is_served_when_it_is_taken_from_the_ring() -> None:
    """One after the other; what the ring has no room for is dropped, and not late."""
    outcome = run_free(
        device(
            "d", ["1ms", "1ms", "1ms"], ["napi_schedule n"], deadline="15us"
        )
        + table("[napi]", name="n", device="d", packet="10us", ring=2)
    )
    latency = outcome.simulation.machine.latencies["d"]
    assert (latency.count, latency.worst_ns, latency.nr_missed) == (2, 20_000, 1)
    assert outcome.device_counts("d") == [3, 0, 1, 2, 1]


def test_a_service_that_never_ends_is_no_service() -> None:
    """Its tasklet is disabled: it is not counted, and not missed."""
    outcome = run(
        lasting("20ms") + _timed(["tasklet_schedule t"]) + tasklet("t", "run 1us", disabled=True)
    )
    assert _served(outcome) == 0


def test_per_cpu_services_are_timed_on_each_cpu() -> None:
    """An arrival is one service on every CPU."""
    outcome = run_free(device("d", ["1ms"], ["run 3us"], ppi=3, deadline="1s"))
    assert _served(outcome) == 4
    assert _worst_us(outcome) == 3


# -- what is said of it ------------------------------------------------------------------


def test_a_miss_is_reported() -> None:
    """How late, which arrival, what was allowed, and what it means."""
    outcome = run_free(_timed(["run 30us"], deadline="20us", on_miss="the pump runs dry"))
    assert outcome.dmesg == [
        MISSED.format("30us", "0.001000", "20us") + ': "the pump runs dry"'
    ]
    assert outcome.device_counts("d") == [1, 0, 0, 1, 1]


def test_the_deadline_itself_is_in_time() -> None:
    """Only what takes longer is late."""
    assert run_free(_timed(["run 30us"], deadline="30us")).dmesg == []


def test_many_misses_are_reported_ten_at_a_time() -> None:
    """In five seconds; the next one says how many were left out.  Source: ___ratelimit()."""
    outcome = run_free(
        device("d", {"every": "100us", "count": 30}, ["run 3us"], deadline="1us", spi=1)
        + task("late", ["run 6s"], cpu=0)
        + device("e", ["6s"], ["run 1us"], spi=2)
    )
    assert len(outcome.dmesg) == 10
    again = run_free(
        device("d", [*[f"{when}ms" for when in range(1, 31)], "6s"], ["run 3us"], deadline="1us")
    )
    assert again.dmesg[10] == "irqsim: deadline_missed: 20 callbacks suppressed"
    assert len(again.dmesg) == 12


def test_the_file_says_how_long_services_took() -> None:
    """A block for each device on the line; the histogram in powers of two."""
    outcome = run_free(
        device("d", ["1ms", "2ms"], ["run 30us"], deadline="20us", flags=["IRQF_SHARED"])
        + device("e", ["3ms"], ["run 1us"], deadline="50us", flags=["IRQF_SHARED"])
        + device("f", ["4ms"], ["run 1us"], flags=["IRQF_SHARED"])
    )
    assert outcome.file("/sys/kernel/irq/13/latency") == (
        "device d\n"
        "deadline 20us\n"
        "served 2\n"
        "missed 2\n"
        "mean 30us\n"
        "worst 30us arrived 0.001000\n"
        "      16us to       32us: 2\n"
        "device e\n"
        "deadline 50us\n"
        "served 1\n"
        "missed 0\n"
        "mean 31us\n"
        "worst 31us arrived 0.003000\n"
        "      16us to       32us: 1\n"
    )
    assert outcome.file("/sys/kernel/irq/d/latency") == outcome.file("/sys/kernel/irq/13/latency")


def test_lines_without_a_deadline_have_no_such_file() -> None:
    """It is ours, and there only where somebody asks."""
    outcome = run_free(device("d", ["1ms"], ["run 30us"]))
    with pytest.raises(FileError):
        outcome.file("/sys/kernel/irq/13/latency")
    assert not [path for path, _ in outcome.simulation.tree() if "latency" in path]


def test_a_deadline_changes_nothing_else() -> None:
    """The same lines at the same times."""
    steps: Steps = ["run 3us", "tasklet_schedule t", "raise_softirq BLOCK", "queue_work w"]
    rest = tasklet("t", "run 2us") + work("w", "run 9us")
    with_one = run_free(_timed(steps, thread=["run 5us"]) + rest)
    without = run_free(device("d", ["1ms"], steps, thread=["run 5us"]) + rest)
    assert with_one.lines == without.lines


# -- polled devices ----------------------------------------------------------------------


def test_a_polled_device_is_looked_at_from_a_timer() -> None:
    """Every period, in the clock's interrupt; it has no interrupt of its own."""
    outcome = run_free(
        lasting("10ms") + table("[device]", name="d", poll="1ms", arrivals=["1500us"])
    )
    assert outcome.times("hrtimer_expire_entry", "d_poll") == [1000 * n for n in range(1, 10)]
    assert outcome.irqs("d") == []
    assert outcome.device_counts("d") == [1, 0, 0, 1, 0]


def test_a_polled_device_is_served_at_the_next_look() -> None:
    """Up to a period late; all that came since the last look is served together."""
    outcome = run_free(
        lasting("10ms")
        + table(
            "[device]",
            name="d",
            poll="1ms",
            arrivals=["1500us", "1700us"],
            handler=["run 20us", "trace_printk served"],
            deadline="400us",
        )
    )
    assert outcome.said_at("served") == 2020
    assert _worst_us(outcome) == 520
    assert outcome.device_counts("d") == [2, 0, 0, 2, 1]
    assert outcome.file("/sys/kernel/irq/d/latency").startswith("device d\ndeadline 400us\n")


def test_a_polled_device_runs_where_it_may() -> None:
    """On the first CPU of its affinity; a line that it is given is not used."""
    outcome = run_free(
        lasting("5ms") + device("d", ["1ms"], ["trace_printk here"], poll="1ms", affinity=[2, 3])
    )
    assert [line.cpu for line in outcome.of("print")] == [2]
    assert "d" not in outcome.file("/proc/interrupts").split()


def test_a_polled_network_device_hands_over_to_napi() -> None:
    """From the timer instead of the interrupt."""
    outcome = run_free(
        lasting("5ms")
        + table("[device]", name="d", poll="1ms", arrivals=["500us"], handler=["napi_schedule n"])
        + table("[napi]", name="n", device="d")
    )
    assert outcome.device_counts("d") == [1, 0, 0, 1, 0]
    assert outcome.times("napi_poll") == [1001]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('thread = ["run 1us"]', "device[0].thread: a polled device has no interrupt that could"),
        ("probe = false", "device[0].probe: a polled device has no line that could be requested"),
        ('handler = ["disable_irq d"]', "device[0].handler: 'disable_irq': 'd' is polled and has"),
    ],
)
def test_what_needs_a_line_is_refused_of_a_polled_device(text: str, fault: str) -> None:
    """Before anything runs."""
    head = '[run]\nduration = "5ms"\n[[device]]\nname = "d"\npoll = "1ms"\n'
    assert fault in fault_of(head + text)


# -- /proc/irqsim ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (device("d", ["1ms", "1ms", "1ms"], [], trigger="edge"), [3, 2, 0, 1, 0]),
        (device("d", ["1ms", "1ms", "1ms"], [], trigger="level"), [3, 0, 0, 3, 0]),
        (
            device("d", ["1ms", "1ms", "1ms"], ["napi_schedule n"], trigger="edge")
            + table("[napi]", name="n", device="d"),
            [3, 0, 0, 3, 0],
        ),
    ],
)
def test_every_arrival_is_counted_once_more_when_it_is_over(
    text: str, counts: list[int]
) -> None:
    """As a service, as merged with the one before, or as dropped."""
    assert run_free(text).device_counts("d") == counts


@pytest.mark.parametrize("seed", range(8))
def test_no_arrival_is_forgotten(seed: int) -> None:
    """Each is a service, merged, dropped or waiting, on each of its lines."""
    found = run_of_seed(seed)
    for driver in found.machine.drivers.values():
        device = driver.device
        nics = [nic for nic in found.machine.nics.values() if nic.device is device]
        dropped = sum(nic.nr_dropped for nic in nics)
        waiting = sum(nic.ring for nic in nics) if nics else device.waiting
        over = device.nr_services + device.nr_merged + dropped + waiting
        # A packet that is being taken is in neither place.
        assert 0 <= device.nr_arrivals * len(device.lines) - over <= len(nics)
