"""NAPI: receiving by polling once an interrupt has said that there is something.

Source: net/core/dev.c: napi_schedule_prep, ____napi_schedule, napi_complete_done, napi_poll,
net_rx_action.
Differs: no GRO, no RPS, no threaded NAPI.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from irqsim.events import NAPI_POLL
from irqsim.kernel.softirq import (
    NET_RX_SOFTIRQ,
    NET_TX_SOFTIRQ,
    raise_softirq,
    raise_softirq_no_wake,
)
from irqsim.kernel.state import Cpu, Kernel, Path
from irqsim.kernel.trace import trace

PollPath = Generator[int, None, int]
"""A driver's poll function: returns how many packets it has taken."""


class Napi:
    """A struct napi_struct.  Changed by the functions below only."""

    __slots__ = ("address", "device", "is_missed", "is_scheduled", "poll", "weight")

    address: int | str
    device: str
    weight: int
    poll: Callable[[Kernel, Cpu, Napi], PollPath]
    is_scheduled: bool
    """NAPI_STATE_SCHED."""
    is_missed: bool
    """NAPI_STATE_MISSED: scheduled again while it was scheduled."""

    def __init__(
        self,
        address: int | str,
        device: str,
        weight: int,
        poll: Callable[[Kernel, Cpu, Napi], PollPath],
    ) -> None:
        self.address = address
        self.device = device
        self.weight = weight
        self.poll = poll
        self.is_scheduled = False
        self.is_missed = False


class SoftnetData:
    """One CPU's struct softnet_data."""

    __slots__ = ("in_net_rx_action", "poll_list", "processed", "time_squeeze")

    poll_list: list[Napi]
    processed: int
    time_squeeze: int
    in_net_rx_action: bool
    """NET_RX is at work here and will look at poll_list again (releases that look)."""

    def __init__(self) -> None:
        self.in_net_rx_action = False
        self.poll_list = []
        self.processed = 0
        self.time_squeeze = 0


def napi_schedule(k: Kernel, cpu: Cpu, napi: Napi) -> Path:
    """Have `napi` polled on this CPU; noted as missed if it is scheduled already."""
    if napi.is_scheduled:
        napi.is_missed = True
        return
    napi.is_scheduled = True
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    _enqueue(k, cpu, napi)
    yield k.cost.softirq_raise
    cpu.irqs_disabled = saved
    if not saved:
        yield 0


def napi_complete_done(k: Kernel, cpu: Cpu, napi: Napi) -> bool:
    """The poll found less than its weight: stop polling, unless something was missed.

    True: the driver is to enable its device's interrupt.
    """
    if napi.is_missed:
        napi.is_missed = False
        saved, cpu.irqs_disabled = cpu.irqs_disabled, True
        _enqueue(k, cpu, napi)
        cpu.irqs_disabled = saved
        return False
    napi.is_scheduled = False
    return True


def net_rx_action(k: Kernel, cpu: Cpu) -> Path:
    """The action of NET_RX: poll each instance of the list once, within budget and time.

    One that used its whole weight is polled again in the next run.
    """
    softnet = cpu.softnet
    time_limit = k.jiffies + -(-k.netdev_budget_usecs * 1000 // k.tick_ns)
    budget = k.netdev_budget
    batch, softnet.poll_list = softnet.poll_list, []
    softnet.in_net_rx_action = k.release.net_rx_looks_again
    repoll: list[Napi] = []
    while True:
        if not batch:
            if repoll:
                break
            if not k.release.net_rx_looks_again:
                # What has been scheduled meanwhile has raised NET_RX itself.
                return
            batch, softnet.poll_list = softnet.poll_list, []
            if not batch:
                break
        napi = batch.pop(0)
        work = yield from napi.poll(k, cpu, napi)
        softnet.processed += work
        trace(
            k,
            cpu,
            k.events.intern(NAPI_POLL, napi.address, napi.device, work, napi.weight),
        )
        if work >= napi.weight:
            repoll.append(napi)
        budget -= work
        if budget <= 0 or k.jiffies >= time_limit:
            softnet.time_squeeze += 1
            break
    softnet.poll_list = batch + softnet.poll_list + repoll
    softnet.in_net_rx_action = False
    cpu.irqs_disabled = True
    if softnet.poll_list:
        raise_softirq_no_wake(k, cpu, NET_RX_SOFTIRQ)
    cpu.irqs_disabled = False
    yield 0


def dev_cpu_dead(k: Kernel, cpu: Cpu, dead: Cpu) -> Path:
    """Poll on `cpu`, which runs this, what a dead CPU was to poll.

    NET_TX is raised whether there is something to send or not.
    Source: net/core/dev.c: dev_cpu_dead.
    """
    yield from raise_softirq(k, cpu, NET_TX_SOFTIRQ)
    batch, dead.softnet.poll_list = dead.softnet.poll_list, []
    for napi in batch:
        cpu.irqs_disabled = True
        _enqueue(k, cpu, napi)
        yield k.cost.softirq_raise
        cpu.irqs_disabled = False
        yield 0


def _enqueue(k: Kernel, cpu: Cpu, napi: Napi) -> None:
    cpu.softnet.poll_list.append(napi)
    if not cpu.softnet.in_net_rx_action:
        raise_softirq_no_wake(k, cpu, NET_RX_SOFTIRQ)
