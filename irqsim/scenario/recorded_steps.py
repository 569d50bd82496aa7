"""The steps that only the files of a replay hold: their rows, and what stands in them."""

from __future__ import annotations

import re
from typing import Final

from irqsim.events import (
    TASK_DEAD,
    TASK_IDLE,
    TASK_INTERRUPTIBLE,
    TASK_PARKED,
    TASK_RUNNING,
    TASK_STOPPED,
    TASK_TRACED,
    TASK_UNINTERRUPTIBLE,
    TASK_ZOMBIE,
)
from irqsim.scenario.names import shown

TASK_STATES: Final[dict[str, int]] = {
    "R": TASK_RUNNING,
    "R+": TASK_RUNNING,
    "S": TASK_INTERRUPTIBLE,
    "D": TASK_UNINTERRUPTIBLE,
    "T": TASK_STOPPED,
    "t": TASK_TRACED,
    "X": TASK_DEAD,
    "Z": TASK_ZOMBIE,
    "P": TASK_PARKED,
    "I": TASK_IDLE,
}
"""prev_state as sched_switch prints it; R+ is R where the task did not ask for it."""
BLANK: Final = "\\x20"
"""What stands for a blank at the end of an event."""
NR_IPIS: Final = 7
ANEW: Final = "anew"
"""Behind the CPU of a line of a softirq: it began a round, or was ksoftirqd's."""
TARGET: Final = re.compile(r"([0-9]{1,5})(?:\+([0-9]{1,15}ns)#([0-9]{1,9}))?")
NUMBER_MAX: Final = 10**9

REPLAY_ROWS: Final[tuple[tuple[str, str], ...]] = (
    ("wait time", "idle for so long, or until somebody is to run"),
    ("wait_resched", "idle until somebody is to run"),
    ("switch state", "give the CPU to the recorded next task: S, D, I..., R or R+"),
    ("sched_waking task cpu", "begin to wake a task that will run on that CPU"),
    ("sched_wakeup task cpu", "make it runnable there"),
    ("activate task cpu", "the same, where the log has no line for it"),
    ("need_resched", "have the scheduler run, for a reason that the log does not show"),
    ("softirq_work softirq number", "the next run of the vector does this line of its replay"),
    ("softirq_pending softirq", "mark a vector pending, where the log has no line for it"),
    ("ipi_raise ipi targets", "send IPI n: for each target CPU+DELAY#LINE of the ipis"),
    ("later", "what follows, the interrupt does when its handlers are done"),
    ("exec words", "the task takes another name"),
    ("event words", "a line of the log that nothing here stands for"),
    ("event_irqs_off words", "the same, where interrupts are off for it alone"),
)
"""Usage, and what the step does."""


def number_of(word: str, most: int = NUMBER_MAX) -> int:
    """A number up to `most`.  Raises ValueError."""
    if not (word.isascii() and word.isdigit() and len(word) < 11 and int(word) <= most):
        raise ValueError(f"expected a number (0-{most}), got {shown(word)}")
    return int(word)


def targets_of(words: str) -> list[str]:
    """The CPUs of the targets of an IPI, each ``2+39us#17`` or, where none came of it, ``2``.

    Raises ValueError.
    """
    cpus = []
    for word in words.split():
        match = TARGET.fullmatch(word)
        if match is None:
            raise ValueError(f"expected a target such as '2+39000ns#17', got {shown(word)}")
        cpus.append(match[1])
    return cpus
