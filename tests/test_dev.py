"""The laws of NAPI: net/core/dev.c."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import (
    Outcome,
    Toml,
    device,
    kernel,
    lasting,
    run,
    run_free,
    table,
    task,
)


def _nic(name: str, packets: int, at: str = "1ms", spi: int = 1, **napi: Toml) -> str:
    """A device to which so many packets come at one time, and its NAPI instance."""
    steps: list[str | dict[str, Toml]] = [f"napi_schedule {name}_napi"]
    return device(name, [at] * packets, steps, spi=spi) + table(
        "[napi]", name=f"{name}_napi", device=name, **napi
    )


def _squeezed(outcome: Outcome, cpu: int = 0) -> int:
    row = outcome.file("/proc/net/softnet_stat").splitlines()[cpu].split()
    return int(row[2], 16)


def test_a_poll_takes_what_is_there() -> None:
    """In NET_RX, and is logged when it is done.  Source: net_rx_action(), trace_napi_poll()."""
    outcome = run_free(_nic("eth0", 3, packet="10us"))
    events = ("softirq_raise", "softirq_entry", "napi_poll", "softirq_exit")
    assert outcome.story(*events) == [
        "d.h.. softirq_raise NET_RX",
        "..s.. softirq_entry NET_RX",
        "..s.. napi_poll 3",
        "..s.. softirq_exit NET_RX",
    ]
    assert outcome.one("napi_poll").time_us == 1030
    assert outcome.one("napi_poll").text.endswith("for device eth0 work 3 budget 64")


def test_the_weight_limits_a_poll() -> None:
    """What is left is polled in the next run of NET_RX.  Source: __napi_poll(): weight."""
    outcome = run_free(_nic("eth0", 100))
    assert outcome.gists("napi_poll") == ["64", "36"]
    assert outcome.gists("softirq_entry") == ["NET_RX", "NET_RX"]


def test_a_poll_of_exactly_the_weight_is_followed_by_an_empty_one() -> None:
    """Only less than the weight says that nothing is left.  Source: __napi_poll()."""
    assert run_free(_nic("eth0", 64)).gists("napi_poll") == ["64", "0"]


def test_a_weight_of_its_own() -> None:
    """Source: netif_napi_add_weight()."""
    outcome = run_free(_nic("eth0", 20, weight=8))
    assert outcome.gists("napi_poll") == ["8", "8", "4"]
    assert outcome.of("napi_poll")[0].text.endswith("budget 8")


def test_what_is_left_raises_net_rx_before_the_vector_ends() -> None:
    """With interrupts off, and nobody is woken.  Source: net_rx_action(): __raise."""
    outcome = run_free(_nic("eth0", 100))
    assert outcome.story("softirq_raise", "softirq_exit")[1:3] == [
        "d.s.. softirq_raise NET_RX",
        "..s.. softirq_exit NET_RX",
    ]


@pytest.mark.parametrize("release", ["4.19", "5.10", "6.1", "6.6", "6.12"])
def test_one_run_polls_each_instance_once(release: str) -> None:
    """A busy one is put on the repoll list, whatever budget is left.  Source: napi_poll()."""
    outcome = run_free(kernel(release=release) + _nic("eth0", 200))
    assert outcome.gists("napi_poll") == ["64", "64", "64", "8"]
    assert len(outcome.of("softirq_entry")) == 4


def test_a_busy_instance_goes_to_ksoftirqd_after_ten_runs() -> None:
    """Each is a pass of its own.  Source: __do_softirq(): MAX_SOFTIRQ_RESTART."""
    outcome = run_free(_nic("eth0", 256, weight=16, packet="1us"))
    comms = [line.comm for line in outcome.of("napi_poll")]
    assert comms == ["<idle>"] * 10 + ["ksoftirqd/0"] * 7


def test_six_busy_instances_use_up_the_budget() -> None:
    """100 packets each, weight 64, budget 300: runs of 320, 244 and 36 packets.

    Source: net_rx_action(): budget; the rest of the list comes before the repolled ones.
    """
    outcome = run_free("".join(_nic(f"eth{n}", 100, spi=n + 1) for n in range(6)))
    runs: list[int] = []
    for line in outcome.of("softirq_entry", "napi_poll"):
        if line.event == "softirq_entry":
            runs.append(0)
        else:
            runs[-1] += int(line.gist)
    assert [packets for packets in runs if packets] == [320, 244, 36]
    assert _squeezed(outcome) == 1


def test_the_budget_can_be_set() -> None:
    """net.core.netdev_budget.  Source: net_rx_action()."""
    outcome = run_free(
        kernel(netdev_budget=64) + _nic("eth0", 70) + _nic("eth1", 5, spi=2)
    )
    assert outcome.gists("napi_poll") == ["64", "5", "6"]
    assert _squeezed(outcome) == 1


@pytest.mark.parametrize(("hz", "limit_us"), [(100, 20_000), (250, 8_000), (1000, 2_000)])
def test_the_time_limit_is_two_jiffies(hz: int, limit_us: int) -> None:
    """netdev_budget_usecs is 2,000,000/HZ: counted in jiffies that the tick advances.

    Source: net_rx_action(): time_limit.
    """
    outcome = run_free(
        kernel(hz=hz)
        + task("u", ["run 90ms"], cpu=0)
        + "".join(
            _nic(f"eth{n}", 1, spi=n + 1, packet=f"{limit_us * 3 // 4}us") for n in range(3)
        )
    )
    # Each poll takes three quarters of it: the second one ends too late.
    first = outcome.of("softirq_exit", gist="NET_RX")[0].time_us
    polled = [line for line in outcome.of("napi_poll") if line.time_us <= first]
    assert len(polled) == 2
    assert len(outcome.of("napi_poll")) == 3
    assert _squeezed(outcome) == 1


def test_the_line_is_quiet_until_the_poll_is_complete() -> None:
    """Packets meanwhile are found by the poll, without an interrupt.

    Source: the driver masks its interrupt, napi_complete_done() lets it unmask.
    """
    outcome = run_free(
        device("eth0", ["1ms", "1050us", "1090us", "5ms"], ["napi_schedule n"])
        + table("[napi]", name="n", device="eth0", packet="100us")
    )
    assert outcome.times("irq_handler_entry") == [1000, 5000]
    assert outcome.gists("napi_poll") == ["3", "1"]


def test_an_instance_scheduled_while_it_is_polled_is_polled_again() -> None:
    """NAPI_STATE_MISSED.  Source: napi_schedule_prep(), napi_complete_done()."""
    outcome = run_free(
        _nic("eth0", 1, packet="100us")
        + device("other", ["1050us"], ["napi_schedule eth0_napi"], spi=5)
    )
    assert outcome.gists("napi_poll") == ["1", "0"]


def test_an_instance_that_waits_is_not_queued_twice() -> None:
    """Scheduled once, raised once.  Source: napi_schedule_prep()."""
    outcome = run_free(
        device("eth0", ["1ms"], ["napi_schedule n", "napi_schedule n"])
        + table("[napi]", name="n", device="eth0")
    )
    # It was missed once, so that its poll schedules it once more.
    raises = ["d.h.. softirq_raise NET_RX", "d.s.. softirq_raise NET_RX"]
    assert outcome.story("softirq_raise") == raises
    assert outcome.gists("napi_poll") == ["1", "0"]


def test_packets_that_find_the_ring_full_are_dropped() -> None:
    """And counted.  Source: the scenario's contract: `ring`."""
    outcome = run_free(_nic("eth0", 10, ring=4))
    assert outcome.gists("napi_poll") == ["4"]
    arrivals, _, dropped, _, _ = outcome.device_counts("eth0")
    assert (arrivals, dropped) == (10, 6)


def test_the_ring_has_room_again_as_packets_are_taken() -> None:
    """Each packet that is taken frees its descriptor.  Source: the scenario's contract."""
    outcome = run_free(
        device("eth0", ["1ms", "1ms", "1ms", "1150us"], ["napi_schedule n"])
        + table("[napi]", name="n", device="eth0", packet="100us", ring=2)
    )
    assert outcome.gists("napi_poll") == ["3"]
    assert outcome.device_counts("eth0")[2] == 1


def test_napi_schedule_in_a_task_wakes_nobody() -> None:
    """It is __raise_softirq_irqoff(): NET_RX waits for the next interrupt's end.

    Source: ____napi_schedule().
    """
    outcome = run_free(
        device("eth0", [], [])
        + table("[napi]", name="n", device="eth0")
        + task("a", ["napi_schedule n", "run 9ms"], cpu=0)
        + device("d", ["3ms"], [], spi=2)
    )
    assert outcome.of("sched_waking", gist="ksoftirqd/0") == []
    assert outcome.one("softirq_entry").time_us == 3000


def test_polling_goes_on_where_it_was_scheduled() -> None:
    """The poll list is per CPU.  Source: ____napi_schedule(): softnet_data."""
    outcome = run(
        device("eth0", ["1ms"], ["napi_schedule n"], affinity=[2])
        + table("[napi]", name="n", device="eth0")
    )
    assert outcome.one("napi_poll").cpu == 2


@pytest.mark.parametrize(("release", "raises"), [("6.1", 2), ("6.12", 1)])
def test_what_is_scheduled_while_net_rx_runs(release: str, raises: int) -> None:
    """Raised anew up to 6.3; since 6.4 the run itself takes it up.

    Source: ____napi_schedule(): in_net_rx_action.
    """
    outcome = run_free(
        lasting("9ms")
        + kernel(release=release)
        + _nic("eth0", 1, packet="100us")
        + _nic("eth1", 1, at="1050us", spi=2)
    )
    assert len(outcome.of("softirq_raise", gist="NET_RX")) == raises
    assert len(outcome.of("softirq_entry", gist="NET_RX")) == raises
    assert outcome.gists("napi_poll") == ["1", "1"]
