"""Where a CPU's time went.  Source: kernel/sched/cputime.c."""

from __future__ import annotations


class CpuTime:
    """Where a CPU's time went, in ns: each instant is counted exactly once."""

    __slots__ = ("hardirq_ns", "idle_ns", "offline_ns", "softirq_ns", "system_ns", "user_ns")

    def __init__(self) -> None:
        self.hardirq_ns = 0
        self.softirq_ns = 0
        self.system_ns = 0
        self.user_ns = 0
        self.idle_ns = 0
        self.offline_ns = 0
