"""A device asserts its line while it wants service; an edge device pulses it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.hw.device import Device, Line
from irqsim.hw.gic import Gic
from irqsim.hw.intid import SPURIOUS
from irqsim.hw.timer import NEVER, ArchTimer

SPI, PPI = 40, 27


@pytest.fixture
def gic() -> Gic:
    """A GICv2 with two PEs; SPIs go to PE 0."""
    gic = Gic(2, 2, 32)
    gic.set_distributor_enabled(True)
    for pe in range(2):
        gic.set_group_enabled(pe, True)
        gic.set_pmr(pe, 0xF0)
        gic.set_enabled(PPI, True, pe)
    gic.set_targets(SPI, 0b01)
    gic.set_enabled(SPI, True)
    return gic


def edge_line(gic: Gic) -> Line:
    gic.set_edge(SPI, True)
    return Line(gic, SPI, edge=True)


def test_a_level_device_asserts_its_line_until_it_is_quieted(gic: Gic) -> None:
    """The line is high from the first arrival until all is taken back."""
    device = Device("uart", [Line(gic, SPI)])
    device.arrive(10)
    device.arrive(20)
    assert gic.line(SPI)
    assert device.wants == [2]
    assert device.oldest_ns == [10]
    assert device.quiet() == 2
    assert not gic.line(SPI)
    assert device.quiet() == 0
    assert (device.nr_arrivals, device.nr_merged, device.nr_services) == (2, 0, 2)


def test_an_arrival_while_it_is_served_interrupts_again(gic: Gic) -> None:
    """What arrives after the quieting keeps the line high at the end: served once more."""
    device = Device("uart", [Line(gic, SPI)])
    device.arrive(0)
    iar = gic.acknowledge(0)
    device.quiet()
    device.arrive(5)
    gic.end_of_interrupt(0, iar)
    assert gic.acknowledge(0) == SPI


def test_an_edge_that_finds_the_last_one_pending_is_merged(gic: Gic) -> None:
    """An edge device counts the arrivals that the controller merged, and wants them all."""
    device = Device("eth0", [edge_line(gic)])
    for now_ns in (1, 2, 3):
        device.arrive(now_ns)
    assert device.nr_merged == 2
    assert gic.acknowledge(0) == SPI
    device.arrive(4)
    assert device.nr_merged == 2
    assert device.quiet() == 4
    gic.end_of_interrupt(0, SPI)
    assert gic.acknowledge(0) == SPI
    assert device.quiet() == 0


def test_quieting_an_edge_device_takes_no_edge_back(gic: Gic) -> None:
    """What the controller has latched stays latched."""
    device = Device("eth0", [edge_line(gic)])
    device.arrive(1)
    device.quiet()
    assert gic.acknowledge(0) == SPI


def test_a_shared_line_is_high_while_any_device_wants(gic: Gic) -> None:
    """Quieting one device of a shared line leaves it high for the other."""
    line = Line(gic, SPI)
    first, second = Device("a", [line]), Device("b", [line])
    first.arrive(0)
    second.arrive(0)
    first.quiet()
    assert gic.line(SPI)
    second.quiet()
    assert not gic.line(SPI)


def test_edges_of_a_shared_line_merge_at_the_second_device(gic: Gic) -> None:
    """The device whose edge is lost counts it."""
    line = edge_line(gic)
    first, second = Device("a", [line]), Device("b", [line])
    first.arrive(0)
    second.arrive(0)
    assert (first.nr_merged, second.nr_merged) == (0, 1)


def test_a_per_cpu_device_is_quieted_on_each_pe(gic: Gic) -> None:
    """An arrival raises the PPI of every PE; each takes back its own."""
    device = Device("pmu", [Line(gic, PPI, pe) for pe in range(2)])
    device.arrive(7)
    assert gic.irq == [True, True]
    assert device.quiet(1) == 1
    assert gic.irq == [True, False]
    assert device.wants == [1, 0]
    assert device.quiet(0) == 1
    assert device.nr_services == 2


def test_a_masked_device_is_silent_and_counts(gic: Gic) -> None:
    """Masked at the device, a level line is low; unmasked it rises if there is a want."""
    device = Device("eth0", [Line(gic, SPI)])
    device.arrive(0)
    device.mask()
    assert not gic.line(SPI)
    device.arrive(1)
    assert not gic.line(SPI)
    device.unmask()
    assert gic.line(SPI)
    device.mask()
    device.quiet()
    device.unmask()
    assert not gic.line(SPI)


def test_a_masked_edge_device_says_once_that_it_wants(gic: Gic) -> None:
    """What arrived while an edge device was masked is one pulse at the unmasking."""
    device = Device("eth0", [edge_line(gic)])
    device.mask()
    device.arrive(0)
    device.arrive(0)
    assert gic.acknowledge(0) == SPURIOUS
    device.unmask()
    device.unmask()
    assert gic.acknowledge(0) == SPI
    gic.end_of_interrupt(0, SPI)
    assert gic.acknowledge(0) == SPURIOUS
    assert device.nr_merged == 0


def test_a_device_without_a_line_is_polled() -> None:
    """It wants service as any other, and nobody is interrupted."""
    device = Device("sensor", [])
    device.arrive(3)
    assert device.oldest_ns == [3]
    assert device.quiet() == 1


DEEDS = st.sampled_from(["arrive", "quiet", "mask", "unmask"])


@given(st.lists(st.tuples(st.integers(0, 2), DEEDS)))
def test_the_line_is_high_exactly_while_someone_wants(story: list[tuple[int, str]]) -> None:
    """A level line is high iff a device on it wants service and is not masked."""
    gic = Gic(3, 1, 32)
    line = Line(gic, SPI)
    devices = [Device(name, [line]) for name in "abc"]
    for which, what in story:
        device = devices[which]
        if what == "arrive":
            device.arrive(0)
        elif what == "quiet":
            device.quiet()
        elif what == "mask":
            device.mask()
        else:
            device.unmask()
        wanted = any(each.wants[0] > 0 and not each.is_masked for each in devices)
        assert gic.line(SPI) == wanted


def test_a_timer_raises_its_ppi_until_it_is_set_again(gic: Gic) -> None:
    """The line is high from the compare value on, until the timer is set to a later one."""
    timer = ArchTimer(gic, PPI, 1)
    assert timer.next_event_ns == NEVER
    timer.set_compare(100, 0)
    assert timer.next_event_ns == 100
    timer.fire(100)
    assert timer.next_event_ns == NEVER
    assert gic.irq == [False, True]
    timer.set_compare(200, 120)
    assert gic.irq == [False, False]
    assert timer.next_event_ns == 200


def test_a_timer_set_to_the_past_fires_at_once(gic: Gic) -> None:
    """The condition is "now is not before the compare value"."""
    timer = ArchTimer(gic, PPI, 0)
    timer.set_compare(50, 60)
    assert gic.irq == [True, False]


def test_a_masked_or_stopped_timer_is_low(gic: Gic) -> None:
    """IMASK lowers the line and lets it rise again; without ENABLE there is nothing."""
    timer = ArchTimer(gic, PPI, 0)
    timer.set_compare(100, 0)
    timer.fire(100)
    timer.set_masked(True, 110)
    assert not gic.line(PPI, 0)
    assert timer.next_event_ns == NEVER
    timer.set_masked(False, 120)
    assert gic.line(PPI, 0)
    timer.stop(130)
    assert not gic.line(PPI, 0)
    assert timer.next_event_ns == NEVER


def test_a_call_before_its_time_does_nothing(gic: Gic) -> None:
    """A timer that was set again ignores the event of the old value."""
    timer = ArchTimer(gic, PPI, 0)
    timer.set_compare(100, 0)
    timer.set_compare(300, 50)
    timer.fire(100)
    assert not gic.line(PPI, 0)
    assert timer.next_event_ns == 300
