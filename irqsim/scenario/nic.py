"""A network device's receive side: a ring that arrivals fill and NAPI empties."""

from __future__ import annotations

from collections import deque

from irqsim.hw.device import Device
from irqsim.kernel.dev import Napi, PollPath, napi_complete_done, napi_schedule
from irqsim.kernel.state import Cpu, Kernel, Path
from irqsim.prng import Stream, draw
from irqsim.scenario.service import Latency
from irqsim.scenario.spec import NapiSpec


class Nic:
    """What one `[[napi]]` becomes."""

    __slots__ = (
        "_spec",
        "_stream",
        "_tick_ns",
        "_times",
        "device",
        "latency",
        "napi",
        "nr_dropped",
        "ring",
    )

    # Fixed when the machine is built.
    device: Device
    napi: Napi
    latency: Latency | None
    """What becomes of the device's deadline; None: it has none."""

    # arrive()'s and the poll function's.
    ring: int
    """Packets that wait in it."""
    nr_dropped: int
    """Packets that found the ring full."""

    def __init__(
        self, spec: NapiSpec, device: Device, address: int | str, stream: Stream, tick_ns: int
    ) -> None:
        self._spec = spec
        self._stream = stream
        self._tick_ns = tick_ns
        self.device = device
        self.napi = Napi(address, spec.device, spec.weight, self._poll)
        self.ring = 0
        self.nr_dropped = 0
        self.latency = None
        self._times: deque[int] = deque()
        device.has_ring = True

    def arrive(self, now_ns: int) -> None:
        """A packet comes in; the device wants service as well."""
        if self.ring < self._spec.ring:
            self.ring += 1
            if self.latency is not None:
                self._times.append(now_ns)
        else:
            self.nr_dropped += 1

    def schedule(self, k: Kernel, cpu: Cpu) -> Path:
        """What the driver's handler does: mask the device's interrupt, have it polled."""
        self.device.mask()
        yield from napi_schedule(k, cpu, self.napi)

    def _poll(self, k: Kernel, cpu: Cpu, napi: Napi) -> PollPath:
        """Take packets until the ring is empty or the weight used up."""
        done = 0
        while done < napi.weight and self.ring:
            self.ring -= 1
            done += 1
            yield draw(self._spec.packet, self._stream, self._tick_ns)
            self.device.nr_services += 1
            if self.latency is not None:
                self.latency.note(k, self._times.popleft())
        if done < napi.weight and napi_complete_done(k, cpu, napi):
            self.device.quiet()
            self.device.unmask()
        yield 0
        return done
