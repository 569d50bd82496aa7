"""A polled device: no interrupt, a driver that looks at it from a timer.

The timer is an hrtimer that expires in hard interrupt context on the first CPU of the device's
affinity.  A look costs what entering a handler costs; if the device wants service then, the
driver's handler runs.
"""

from __future__ import annotations

from irqsim.events import HRTIMER_MODE_HARD, HRTIMER_MODE_REL
from irqsim.hw.device import Device
from irqsim.kernel.hrtimer import HRTIMER_RESTART, HrTimer, TimerPath, hrtimer_start
from irqsim.kernel.state import Cpu, Kernel
from irqsim.prng import stream
from irqsim.scenario.compile import compile_program
from irqsim.scenario.program import Machine, Program, run_atomic, symbol_of
from irqsim.scenario.service import Latency, Part, Service
from irqsim.scenario.spec import DeviceSpec


class Poller:
    """What a `[[device]]` with `poll` becomes."""

    __slots__ = ("_part", "_program", "device", "latency", "spec", "timer")

    # Fixed when the machine is built.
    spec: DeviceSpec
    device: Device
    timer: HrTimer
    latency: Latency | None

    def __init__(
        self, spec: DeviceSpec, device: Device, address: int | str, latency: Latency | None
    ) -> None:
        """`latency` None: nobody asks how long its services take."""
        self.spec = spec
        self.device = device
        self.latency = latency
        self._part = Part() if latency is not None else None
        mode = HRTIMER_MODE_REL | HRTIMER_MODE_HARD
        self.timer = HrTimer(address, f"{symbol_of(spec.name)}_poll", self._look, mode)

    def start(self, machine: Machine, k: Kernel, seed: int) -> None:
        """Compile the handler's steps, and look for the first time one period from now."""
        name = self.spec.name
        self._program = Program(
            machine,
            f"{symbol_of(name)}_poll",
            stream(seed, f"device.{name}.handler"),
            quiet=self._quiet,
        )
        self._program.part = self._part
        compile_program(self._program, self.spec.handler or ())
        assert self.spec.poll is not None
        cpu = k.cpus[self.spec.affinity[0] if self.spec.affinity else 0]
        hrtimer_start(k, cpu, self.timer, self.spec.poll, cpu)

    def _look(self, k: Kernel, cpu: Cpu, timer: HrTimer) -> TimerPath:
        """The timer's function."""
        device, part, ack = self.device, self._part, self.spec.ack
        yield k.cost.irq_handler
        if device.wants[0] and not device.is_masked:
            if part is not None:
                assert self.latency is not None
                part.begin(cpu, Service(self.latency))
            if ack == "start":
                self._quiet(cpu)
            yield from run_atomic(k, cpu, self._program, self._program.ops)
            if ack == "end":
                self._quiet(cpu)
            if part is not None:
                part.end(k, cpu)
        assert self.spec.poll is not None
        periods = (k.now_ns - timer.expires_ns) // self.spec.poll + 1
        timer.expires_ns += periods * self.spec.poll
        return HRTIMER_RESTART

    def _quiet(self, cpu: Cpu) -> None:
        if self._part is not None:
            self._part.take(self.device, cpu, 0)
        self.device.quiet()
