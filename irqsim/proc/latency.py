"""/sys/kernel/irq/N/latency: a file of ours, for lines that have a device with a deadline.

For each such device the deadline, how many arrivals have been served to the end, how many of
them too late, the mean, the worst and when that arrived, and a histogram in powers of two of
us.  A polled device has no number: its file is /sys/kernel/irq/NAME/latency.
"""

from __future__ import annotations

from typing import Final

from irqsim.proc.files import Args, Row, Wildcard
from irqsim.proc.irq import number_of
from irqsim.proc.system import DeviceLatency, System
from irqsim.units import format_ns

USEC: Final = 1_000
SEC: Final = 1_000_000_000


def _directory(each: DeviceLatency) -> str:
    return each.name if each.irq is None else str(each.irq)


def _directories(system: System, args: Args) -> list[str]:
    names = [_directory(each) for each in system.device_latencies()]
    return [name for name in dict.fromkeys(names) if "/" not in name]


def _latency(system: System, args: Args) -> str:
    devices = [each for each in system.device_latencies() if _directory(each) == args[0]]
    return "".join(_text_of(each) for each in devices)


def _text_of(each: DeviceLatency) -> str:
    mean_ns = each.total_ns // each.count if each.count else 0
    when = f"{each.worst_arrival_ns // SEC}.{each.worst_arrival_ns // USEC % 1_000_000:06d}"
    lines = [
        f"device {each.name}",
        f"deadline {format_ns(each.deadline_ns)}",
        f"served {each.count}",
        f"missed {each.missed}",
        f"mean {format_ns(mean_ns // USEC * USEC)}",
        f"worst {format_ns(each.worst_ns)}" + (f" arrived {when}" if each.count else ""),
    ]
    for high, count in each.buckets:
        lines.append(f"{high // 2:>8}us to {high:>8}us: {count}")
    return "".join(f"{line}\n" for line in lines)


WILDCARDS: Final = {"{timed}": Wildcard(_directories, number_of)}

ROWS: Final = (Row("/sys/kernel/irq/{timed}/latency", _latency),)
