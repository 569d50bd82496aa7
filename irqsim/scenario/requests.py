"""The requests of the drivers at the start of a run, and what the kernel refuses of them.

The rules are the kernel's own (kernel/irq/request.py); here they get what a scenario says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from irqsim.kernel.irq import bcm2836
from irqsim.kernel.irq.irqdomain import VIRTUAL_TIMER
from irqsim.kernel.irq.request import ExistingAction, Line, Refusal, Request, check_request
from irqsim.kernel.irq.settings import (
    IRQF_NO_SUSPEND,
    IRQF_PERCPU,
    RELEASES_WITH_COND_ONESHOT,
    irqf_value,
)
from irqsim.kernel.release import release_named
from irqsim.scenario.place import Place
from irqsim.scenario.spec import DeviceSpec, ScenarioSpec

FIRST_PPI: Final = 16
BITS_PER_LONG: Final = {"arm": 32, "arm64": 64}

LineId = tuple[str, object]


def line_of(device: DeviceSpec) -> LineId | None:
    """Which line a device is on: equal for those that share one; None for a polled device."""
    for key in ("spi", "ppi", "lpi", "gpio", "bank", "local"):
        value = getattr(device, key)
        if value is not None:
            return key, value
    return None


def line_text(device: DeviceSpec) -> str:
    """The line as a scenario names it: ``spi 5``."""
    key, value = line_of(device) or ("poll", "")
    return f"{key} {' '.join(map(str, value)) if isinstance(value, tuple) else value}"


def check_requests(spec: ScenarioSpec, devices: Sequence[tuple[DeviceSpec, Place]]) -> None:
    """Request the lines of all devices that are probed at the start, in the file's order."""
    has_cond_oneshot = spec.kernel.release in RELEASES_WITH_COND_ONESHOT
    actions: dict[LineId, list[ExistingAction]] = {}
    if not spec.replay.is_there:
        timer = ExistingAction("arch_timer", IRQF_PERCPU | IRQF_NO_SUSPEND, is_level=True)
        actions.update((line, [timer]) for line in _timer_lines(spec))
    chained: list[LineId] = [("spi", gpio.spi) for gpio in spec.gpios]
    chained += [("bank", gpio.bank) for gpio in spec.gpios]
    nested = [gpio.name for gpio in spec.gpios if gpio.device is not None]
    for device, place in devices:
        line = line_of(device)
        if "IRQF_COND_ONESHOT" in device.flags and not has_cond_oneshot:
            place.at("flags").fault(f"Linux {spec.kernel.release} has no IRQF_COND_ONESHOT")
            continue
        if line is None or device.poll is not None or not device.probe:
            continue
        granted = check_request(
            _request(device),
            actions.setdefault(line, []),
            Line(
                _irq_text(device, devices),
                is_per_cpu_devid=device.ppi is not None or device.local is not None,
                is_chained=line in chained,
                is_nested=device.gpio is not None and device.gpio[0] in nested,
                is_oneshot_safe=device.lpi is not None,
                supports_nmi=device.spi is not None or device.ppi is not None,
            ),
            bits_per_long=BITS_PER_LONG[spec.machine.arch],
            has_cond_oneshot=has_cond_oneshot,
            force_irqthreads=spec.kernel.threadirqs or spec.kernel.preempt == "rt",
        )
        if isinstance(granted, Refusal):
            place.at("flags").fault(str(granted))
        else:
            actions[line].append(granted)


def _timer_lines(spec: ScenarioSpec) -> list[LineId]:
    """The lines that the architected timer has."""
    if spec.machine.irqchip != "bcm2836":
        return [("ppi", VIRTUAL_TIMER - FIRST_PPI)]
    is_downstream = release_named(spec.kernel.release).bcm2836_is_downstream
    sources = bcm2836.PHYSICAL_TIMERS if is_downstream else (bcm2836.VIRTUAL_TIMER,)
    return [("local", source) for source in sources]


def _request(device: DeviceSpec) -> Request:
    """What the driver asks for.  Without a handler and a thread, it has a handler of ours."""
    return Request(
        device.name,
        irqf_value(device.flags),
        is_level=device.trigger == "level",
        has_handler=device.handler is not None or device.thread is None,
        has_thread=device.thread is not None,
        is_nmi=device.nmi,
    )


def _irq_text(device: DeviceSpec, devices: Sequence[tuple[DeviceSpec, Place]]) -> str:
    """The line's number if the scenario gives it; it is not known before the machine is built."""
    line = line_of(device)
    for other, _ in devices:
        if other.irq is not None and line_of(other) == line:
            return str(other.irq)
    return f"<{line_text(device)}>"
