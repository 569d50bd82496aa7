"""What a fair task weighs, and how the fair class's tunables grow with the machine.

Source: kernel/sched/core.c: sched_prio_to_weight; kernel/sched/fair.c: calc_delta_fair,
get_update_sysctl_factor.
"""

from __future__ import annotations

from typing import Final

from irqsim.kernel.state import SCHED_IDLE, Kernel, Task

NICE_0_LOAD: Final = 1024
WEIGHT_IDLEPRIO: Final = 3
WEIGHTS: Final = (
    *(88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916),
    *(9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277),
    *(1024, 820, 655, 526, 423, 335, 272, 215, 172, 137),
    *(110, 87, 70, 56, 45, 36, 29, 23, 18, 15),
)
"""Load weight by nice value, from -20 on: each step is a quarter more or less."""

TUNABLE_CPUS_MAX: Final = 8
"""CPUs beyond these change no tunable."""


def weight_of(policy: int, nice: int) -> int:
    """Load weight of a task of this policy and nice value (-20 to 19)."""
    return WEIGHT_IDLEPRIO if policy == SCHED_IDLE else WEIGHTS[nice + 20]


def tunable_factor(k: Kernel) -> int:
    """By what the tunables are multiplied: 1 + log2 of the number of CPUs."""
    return min(k.nr_online, TUNABLE_CPUS_MAX).bit_length()


def weighted(duration_ns: int, task: Task) -> int:
    """A duration in virtual time of this task: shorter for a heavier one."""
    return duration_ns * NICE_0_LOAD // task.weight
