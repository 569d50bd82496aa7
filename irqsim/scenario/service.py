"""Deadlines: how long each arrival waits for the end of its service.

Ours; the kernel knows nothing of it.  A service begins with a device's handler and ends when
everything that the handler set off has ended: the thread that it woke, the softirq vectors,
tasklets and works that it handed over to, and those that these handed over to in turn.  What
the device wanted until it was quieted is then served, each arrival at that same instant.  A
packet of a network device is served when its poll has taken it from the ring.

A function that services may be in is a `Part`: it has those that wait for its next run, and
those that are in the present one.  Only what a device with a `deadline` can reach has a part;
everything else runs as if there were none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from irqsim.hw.device import Device
from irqsim.kernel.printk import KERN_WARNING, RateLimit, format_time
from irqsim.kernel.state import Cpu, Kernel, Path
from irqsim.scenario.spec import Body, DeviceSpec, ScenarioSpec, Step
from irqsim.scenario.steps import steps_of
from irqsim.units import format_ns

HANDS_OVER: Final[dict[str, str]] = {
    "raise_softirq": "softirq",
    "tasklet_schedule": "tasklet",
    "tasklet_hi_schedule": "tasklet",
    "queue_work": "work",
    "queue_work_on": "work",
    "queue_delayed_work": "work",
}
"""The steps that leave the rest to somebody else, and to what."""

PartKey = tuple[str, str]
"""softirq, tasklet or work, and its name."""
On = TypeVar("On")


class Latency:
    """What is known of the services of one device."""

    __slots__ = (
        "_limit",
        "buckets",
        "count",
        "deadline_ns",
        "name",
        "nr_missed",
        "on_miss",
        "total_ns",
        "worst_arrival_ns",
        "worst_ns",
    )

    name: str
    deadline_ns: int
    on_miss: str
    count: int
    """Arrivals that were served to the end."""
    nr_missed: int
    total_ns: int
    worst_ns: int
    worst_arrival_ns: int
    buckets: dict[int, int]
    """How many took less than this power of two of us, and not less than half of it."""

    def __init__(self, name: str, deadline_ns: int, on_miss: str) -> None:
        self.name = name
        self.deadline_ns = deadline_ns
        self.on_miss = on_miss
        self.count = self.nr_missed = self.total_ns = self.worst_ns = self.worst_arrival_ns = 0
        self.buckets = {}
        self._limit = RateLimit("irqsim: deadline_missed")

    def note(self, k: Kernel, arrived_ns: int) -> None:
        """An arrival has been served to the end, just now."""
        latency_ns = k.now_ns - arrived_ns
        self.count += 1
        self.total_ns += latency_ns
        if latency_ns > self.worst_ns or self.count == 1:
            self.worst_ns, self.worst_arrival_ns = latency_ns, arrived_ns
        bucket = 1 << (latency_ns // 1000).bit_length()
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        if latency_ns > self.deadline_ns:
            self.nr_missed += 1
            meaning = f': "{self.on_miss}"' if self.on_miss else ""
            self._limit.printk(
                k,
                KERN_WARNING,
                f"irqsim: {self.name}: deadline missed, served {format_ns(latency_ns)} after its "
                f"arrival at {format_time(arrived_ns + k.trace_clock_ns)} "
                f"({format_ns(self.deadline_ns)} allowed){meaning}",
            )


class Service:
    """One service: what it serves, and how many parts of it are still to end."""

    __slots__ = ("latency", "nr_parts", "times")

    def __init__(self, latency: Latency) -> None:
        self.latency = latency
        self.times: list[int] = []
        self.nr_parts = 1

    def end_part(self, k: Kernel) -> None:
        """One part has ended; with the last one all is served."""
        self.nr_parts -= 1
        if not self.nr_parts:
            for arrived_ns in self.times:
                self.latency.note(k, arrived_ns)


class Part:
    """A function that services are in; `is_percpu`: it may run on several CPUs at once."""

    __slots__ = ("_is_percpu", "_running", "_waiting")

    def __init__(self, is_percpu: bool = False) -> None:
        self._is_percpu = is_percpu
        self._waiting: dict[int, dict[Service, None]] = {}
        self._running: dict[int, list[Service]] = {}

    def begin(self, cpu: Cpu, service: Service | None = None) -> None:
        """The function begins, with all that wait for it; `service` is one that begins here."""
        place = self._place(cpu)
        services = list(self._waiting.pop(place, ()))
        self._running[place] = [service, *services] if service is not None else services

    def end(self, k: Kernel, cpu: Cpu) -> None:
        """The function ends."""
        for service in self._running.pop(self._place(cpu), ()):
            service.end_part(k)

    def take(self, device: Device, cpu: Cpu, pe: int) -> None:
        """The function quiets a device: what that wants is served with it."""
        times = device.take_times(pe)
        services = self._running.get(self._place(cpu))
        if services:
            services[0].times.extend(times)

    def hand_over(self, to: Part, cpu: Cpu) -> None:
        """The function leaves the rest of what it is in to another one's next run.

        That runs once, however often it has been asked for meanwhile.
        """
        waiting = to._waiting.setdefault(to._place(cpu), {})
        for service in self._running.get(self._place(cpu), ()):
            if service not in waiting:
                service.nr_parts += 1
                waiting[service] = None

    def _place(self, cpu: Cpu) -> int:
        return cpu.number if self._is_percpu else 0


def serving(
    part: Part | None, function: Callable[[Kernel, On], Path], cpu_of: Callable[[Kernel, On], Cpu]
) -> Callable[[Kernel, On], Path]:
    """A function with its part around it: the same function if it has none."""
    if part is None:
        return function

    def path(k: Kernel, on: On) -> Path:
        part.begin(cpu_of(k, on))
        yield from function(k, on)
        part.end(k, cpu_of(k, on))

    return path


def parts_of(spec: ScenarioSpec) -> dict[PartKey, Part]:
    """The parts that the handlers and threads of devices with a deadline can reach."""
    bodies: dict[PartKey, Body] = {}
    bodies.update((("softirq", each.name), each.run) for each in spec.softirqs)
    bodies.update((("tasklet", each.name), each.run) for each in spec.tasklets)
    bodies.update((("work", each.name), each.run) for each in spec.works)
    parts: dict[PartKey, Part] = {}
    to_read: list[Body] = []
    for device in spec.devices:
        if is_timed(spec, device):
            to_read += [device.handler or (), device.thread or ()]
    while to_read:
        for key in _handed_over(to_read.pop()):
            if key not in parts:
                parts[key] = Part(is_percpu=key[0] == "softirq")
                to_read.append(bodies.get(key, ()))
    return parts


def is_timed(spec: ScenarioSpec, device: DeviceSpec) -> bool:
    """Whether a device's own services are timed: not those of a ring, whose packets are."""
    is_nic = any(napi.device == device.name for napi in spec.napis)
    return device.deadline is not None and not is_nic


def key_of(step: Step) -> PartKey | None:
    """What a step hands over to, if it does."""
    kind = HANDS_OVER.get(step.verb)
    if kind is None:
        return None
    return kind, next(arg for arg in step.args if isinstance(arg, str))


def _handed_over(body: Body) -> Iterator[PartKey]:
    for step in steps_of(body):
        key = key_of(step)
        if key is not None:
            yield key
