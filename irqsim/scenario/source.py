"""When a device's hardware wants service: what `arrivals` says, in the event queue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from irqsim.clock import EventQueue
from irqsim.hw import arrival
from irqsim.hw.device import Device
from irqsim.prng import stream
from irqsim.scenario.nic import Nic
from irqsim.scenario.spec import Bursts, DeviceSpec, Listed, Periodic, RunSpec


def arrival_times(spec: DeviceSpec, run: RunSpec) -> Iterator[int]:
    """The times of a device's arrivals, in ns, ascending.

    What is random draws from a stream of the device's own.
    """
    arrivals = spec.arrivals
    if arrivals is None:
        return iter(())
    if isinstance(arrivals, Listed):
        return arrival.listed(arrivals.times)
    draws = stream(run.seed, f"device.{spec.name}.arrivals")
    start, until, count = arrivals.start, arrivals.until, arrivals.count
    if isinstance(arrivals, Periodic):
        every, jitter = arrivals.every, arrivals.jitter
        return arrival.periodic(every, start, until, count, jitter, draws, run.tick)
    if isinstance(arrivals, Bursts):
        return arrival.bursts(arrivals.burst, arrivals.gap, arrivals.every, start, until, count)
    return arrival.poisson(arrivals.poisson, start, until, count, draws, run.tick)


def arrival_cpus(spec: DeviceSpec) -> tuple[int | None, ...]:
    """Where a per-CPU device's arrivals are, as far as the scenario says."""
    return spec.arrivals.cpus if isinstance(spec.arrivals, Listed) else ()


class Source:
    """The arrivals of one device, one at a time in the event queue."""

    __slots__ = ("_cpus", "_device", "_nics", "_queue", "_times", "is_over")

    def __init__(
        self,
        queue: EventQueue,
        device: Device,
        nics: list[Nic],
        times: Iterator[int],
        cpus: Iterable[int | None] = (),
    ) -> None:
        """`cpus`: where each of the arrivals is; those beyond them are everywhere."""
        self._queue = queue
        self._device = device
        self._nics = nics
        self._times = times
        self._cpus = iter(cpus)
        self.is_over = False
        """No arrival is left."""

    def schedule_next(self) -> None:
        """Put the next arrival into the queue, if there is one."""
        for time_ns in self._times:
            self._queue.schedule(time_ns, self._arrive)
            return
        self.is_over = True

    def _arrive(self, now_ns: int) -> None:
        for nic in self._nics:
            nic.arrive(now_ns)
        self._device.arrive(now_ns, next(self._cpus, None))
        self.schedule_next()
