"""Names by which a log shows what is special on ARM, and since when."""

from __future__ import annotations

from typing import Final

from irqsim.analysis.invariant import Setting

IPIS_ARE_IRQS_SINCE: Final = (5, 10)
IPI_NAME: Final = "IPI"
TICK_NAME: Final = "arch_timer"
TICK_FUNCTIONS: Final = ("tick_sched_timer", "tick_nohz_handler")
STOPPER: Final = "migration/"


def has_flags(setting: Setting) -> bool:
    """The log shows flags."""
    return setting.has_flags


def has_flags_not_rt(setting: Setting) -> bool:
    """The log shows flags, and softirqs are no tasks' business."""
    return setting.has_flags and not setting.is_rt
