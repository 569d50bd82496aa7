"""Waiting by looking again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.kernel.lockup import soft_lockup, waits_in_vain
from irqsim.kernel.state import Cpu, Kernel, Path

SOFT_LOCKUP_NS: Final = 22_000_000_000
"""When the watchdog reports a CPU that does nothing else: its threshold is 20 s."""
LONG_NS: Final = 100_000_000
LONG_LOOK_NS: Final = 1_000_000
"""Who has waited so long looks no more often than that: nobody knows the difference."""


def spin_until(
    k: Kernel, cpu: Cpu, is_over: Callable[[], bool], what: str, in_vain: bool = False
) -> Path:
    """Look every `k.cost.spin` until `is_over`.

    The machine panics when that takes SOFT_LOCKUP_NS, and at once if it is not over and
    `in_vain` says that it never will be; the log says for `what` it waited.
    """
    start_ns = k.now_ns
    while not is_over():
        if in_vain:
            yield from waits_in_vain(k, cpu, what)
        elapsed_ns = k.now_ns - start_ns
        if elapsed_ns >= SOFT_LOCKUP_NS:
            yield from soft_lockup(k, cpu, elapsed_ns)
        yield k.cost.spin if elapsed_ns < LONG_NS else max(k.cost.spin, LONG_LOOK_NS)
