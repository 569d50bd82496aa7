"""A device: what it wants, and the line by which it says so.

A level line is asserted for as long as a device on it wants service and does not mask its
interrupt.  On an edge line each arrival is a pulse; one that comes while the controller
still holds the last one is merged there, and only the device's own count tells.

Every arrival is counted once more when it has come to its end: as a service when the driver
takes it back, or as merged when its edge was, for then it is served with the one before.  A
device with a ring (a network device) hands out its arrivals one by one: `nr_services` is then
the ring's to count, and nothing merges.

Several devices may share a line.  A per-CPU device (PPI) has one line for each of its CPUs,
and what it wants is kept for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

NEVER: Final = -1


class Wires(Protocol):
    """What a line leads to: an interrupt controller with numbered inputs."""

    def set_line(self, intid: int, level: bool, pe: int = 0) -> bool:
        """Drive an input; False when its edge merged with a pending one."""

    def pulse(self, intid: int, pe: int = 0) -> bool:
        """Drive an input high and low; False when the edge merged with a pending one."""


class Line:
    """One wire into an interrupt controller, and the devices on it."""

    __slots__ = ("devices", "intid", "is_asserted", "is_edge", "pe", "wires")

    def __init__(self, wires: Wires, intid: int, pe: int = 0, edge: bool = False) -> None:
        # Fixed once the machine is built.
        self.wires: Wires = wires
        self.intid: int = intid
        self.pe: int = pe
        self.is_edge: bool = edge
        self.devices: list[Device] = []
        # put() only.
        self.is_asserted: bool = False

    def drive(self) -> None:
        """Put the wire of a level line to what its devices want."""
        for device in self.devices:
            if device.wants[self.pe] and not device.is_masked:
                self.put(True)
                return
        self.put(False)

    def put(self, level: bool) -> None:
        """Put the wire of a level line to this level."""
        if level is not self.is_asserted:
            self.is_asserted = level
            self.wires.set_line(self.intid, level, self.pe)


class Device:
    """A device on one line, or as a per-CPU device on one line per PE.

    `wants` is indexed by the line's PE, 0 for a line that is not private.
    """

    __slots__ = (
        "_line_of",
        "arrived_ns",
        "has_ring",
        "is_masked",
        "lines",
        "merged",
        "name",
        "nr_arrivals",
        "nr_merged",
        "nr_services",
        "oldest_ns",
        "wants",
    )

    def __init__(self, name: str, lines: Sequence[Line]) -> None:
        # Fixed.
        self.name: str = name
        self.lines: list[Line] = list(lines)
        nr_places = max((line.pe for line in lines), default=0) + 1
        self._line_of: list[Line | None] = [None] * nr_places
        # State: arrive(), quiet(), mask() and unmask() only.  Others read.
        self.wants: list[int] = [0] * nr_places
        self.oldest_ns: list[int] = [NEVER] * nr_places
        self.merged: list[int] = [0] * nr_places
        """How many of `wants` came as edges that merged."""
        self.is_masked: bool = False
        # Whoever builds the machine sets these.
        self.has_ring: bool = False
        self.arrived_ns: list[list[int]] | None = None
        """When what it wants arrived, where somebody asks for that: else None."""
        # Counters: as above, and nobody resets them.
        self.nr_arrivals: int = 0
        self.nr_merged: int = 0
        self.nr_services: int = 0
        for line in self.lines:
            assert self._line_of[line.pe] is None
            self._line_of[line.pe] = line
            line.devices.append(self)

    def arrive(self, now_ns: int, pe: int | None = None) -> None:
        """Want service once more, on every line, or on that of one PE.

        An edge that merges is counted for each line.
        """
        self.nr_arrivals += 1
        if not self.lines:
            self._want(0, now_ns)
        for line in self.lines:
            if pe is not None and line.pe != pe and len(self.lines) > 1:
                continue
            self._want(line.pe, now_ns)
            if self.is_masked:
                continue
            if not line.is_edge:
                line.put(True)
            elif not line.wires.pulse(line.intid, line.pe) and not self.has_ring:
                self.nr_merged += 1
                self.merged[line.pe] += 1

    @property
    def waiting(self) -> int:
        """How many arrivals wait for a service of their own."""
        return sum(self.wants) - sum(self.merged)

    def keep_times(self) -> None:
        """Note from now on when each arrival came, for take_times()."""
        self.arrived_ns = [[] for _ in self.wants]

    def take_times(self, pe: int = 0) -> list[int]:
        """When what quiet() is about to take back arrived, in ns; they are forgotten."""
        assert self.arrived_ns is not None
        times, self.arrived_ns[pe] = self.arrived_ns[pe], []
        return times

    def quiet(self, pe: int = 0) -> int:
        """Take back all that the device wants (of this PE); return how much it was."""
        taken = self.wants[pe]
        if taken:
            self.wants[pe] = 0
            self.oldest_ns[pe] = NEVER
            if not self.has_ring:
                self.nr_services += taken - self.merged[pe]
                self.merged[pe] = 0
            line = self._line_of[pe]
            if line is not None and line.is_asserted:
                line.drive()
        return taken

    def mask(self) -> None:
        """Keep the device from interrupting; it goes on counting what it wants."""
        self.is_masked = True
        self._drive()

    def unmask(self) -> None:
        """Let the device interrupt again; it does at once if it wants service.

        An edge device says so with one pulse.
        """
        if not self.is_masked:
            return
        self.is_masked = False
        self._drive()
        for line in self.lines:
            if line.is_edge and self.wants[line.pe]:
                line.wires.pulse(line.intid, line.pe)

    def _want(self, pe: int, now_ns: int) -> None:
        if not self.wants[pe]:
            self.oldest_ns[pe] = now_ns
        self.wants[pe] += 1
        if self.arrived_ns is not None:
            self.arrived_ns[pe].append(now_ns)

    def _drive(self) -> None:
        for line in self.lines:
            if not line.is_edge:
                line.drive()
