"""What the files show, all in one place: the kernel, and what is not the kernel's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import define, frozen

from irqsim.events import Context
from irqsim.kernel.state import Kernel

LAST_SYSTEM_PID: Final = 99


@frozen
class DeviceCounts:
    """What a device and its driver have counted: a line of /proc/irqsim."""

    name: str
    arrivals: int
    """How often the hardware wanted service."""
    merged: int
    """Edges that came while the controller still held the one before."""
    dropped: int
    """Packets that found the receive ring full."""
    services: int
    """Arrivals that the driver took, one by one; not those that merged."""
    missed: int
    """Arrivals whose service ended later than the deadline allows."""


@frozen
class DeviceLatency:
    """How long the arrivals of a device with a deadline waited for the end of their service."""

    name: str
    irq: int | None
    """None: it is polled."""
    deadline_ns: int
    count: int
    """Arrivals that have been served to the end."""
    missed: int
    total_ns: int
    worst_ns: int
    worst_arrival_ns: int
    """When the one that waited longest arrived, by the trace clock."""
    buckets: tuple[tuple[int, int], ...]
    """Powers of two of us, and how many waited less than that and not less than half of it."""


@define
class System:
    """A machine as its files see it."""

    kernel: Kernel
    device_counts: Callable[[], tuple[DeviceCounts, ...]]
    device_latencies: Callable[[], tuple[DeviceLatency, ...]]
    trace_text: Callable[[], str]
    """The file `trace` as it stands."""
    clear_trace: Callable[[], None]
    options: dict[str, bool]
    """trace_options, in the order of that file."""
    tracer: str
    shell_pid: int


def online_cpus(k: Kernel) -> tuple[int, ...]:
    """The CPUs that are online, ascending."""
    return tuple(cpu.number for cpu in k.cpus if cpu.is_online)


def free_shell_pid(k: Kernel) -> int:
    """A pid for the shell that a machine is operated from: the last below the users' tasks'."""
    used = [task.pid for task in k.tasks]
    return next(pid for pid in range(LAST_SYSTEM_PID, -1, -1) if pid not in used)


def shell_context(system: System) -> Context:
    """Whoever types is a shell, in process context on the first CPU that could run it now.

    Differs: typing takes no time, and the scheduler knows nothing of this shell.
    """
    k, pid = system.kernel, system.shell_pid
    online = online_cpus(k)
    # Nothing runs in the middle of an interrupt, or of a section that keeps others away.
    fit = [
        number
        for number in online
        if not k.cpus[number].preempt_count and not k.cpus[number].irqs_disabled
    ]
    return k.events.context("sh", pid, pid, (fit or online)[0], 0, 0)
