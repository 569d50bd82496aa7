"""Waiting by looking again and again.

A wait that lasts longer than any sane one is a lockup: the run ends there with its name,
instead of going on for ever as a real machine would until its watchdog bites.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.errors import LimitError
from irqsim.kernel.state import Kernel, Path
from irqsim.units import format_ns

SPIN_NS_MAX: Final = 1_000_000_000
"""The longest wait of this kind."""


def spin_until(k: Kernel, is_over: Callable[[], bool], what: str) -> Path:
    """Look every `k.cost.spin` until `is_over`.

    Raises LimitError, which says `what` was waited for, when that takes SPIN_NS_MAX.
    """
    start_ns = k.now_ns
    while not is_over():
        if k.now_ns - start_ns >= SPIN_NS_MAX:
            raise LimitError(
                f"BUG: soft lockup: since {format_ns(start_ns)} a CPU has waited in vain for {what}"
            )
        yield k.cost.spin
