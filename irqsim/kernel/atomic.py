"""Reports of code that sleeps, or leaves, where preempt_count says that it must not.
"""

from __future__ import annotations

from typing import Final

from irqsim.kernel.preempt import PREEMPT_OFFSET
from irqsim.kernel.printk import KERN_ERR, KERN_WARNING, NO_MODULES, dump_stack, printk
from irqsim.kernel.state import Cpu, Kernel
from irqsim.records import release_number
from irqsim.units import SOFTIRQ_NAMES

U32: Final = 0xFFFFFFFF
PSR_I_BIT: Final = 0x80
"""What irqs_disabled() returns on ARM, of either architecture."""
NON_BLOCK_SINCE: Final = (5, 4)
COUNTS_SINCE: Final = (5, 17)
"""Releases from which the report says more."""


def schedule_bug(k: Kernel, cpu: Cpu) -> None:
    """Somebody sleeps where nobody may: report it, and go on.

    From here on preempt_count says that nothing keeps the CPU.
    Source: kernel/sched/core.c: schedule_debug, __schedule_bug.
    """
    task = cpu.current
    # schedule() itself has disabled preemption by then.
    count = cpu.preempt_count + (PREEMPT_OFFSET if k.preempt_count_built else 0)
    who = f"{task.comm}/{task.pid}/0x{count & U32:08x}"
    printk(k, KERN_ERR, f"BUG: scheduling while atomic: {who}")
    printk(k, KERN_WARNING, NO_MODULES)
    dump_stack(k, cpu)
    k.is_tainted = True
    cpu.preempt_count = 0


def might_sleep_bug(k: Kernel, cpu: Cpu, place: str) -> None:
    """Somebody may have to sleep: report it where that is forbidden, once a second at most.

    Source: kernel/sched/core.c: __might_resched.
    Differs: the place is the kernel's own file, without a line; RCU's nesting is not followed.
    """
    is_fit = not cpu.preempt_count and not cpu.irqs_disabled and cpu.current is not cpu.idle
    if k.next_sleep_report is None or is_fit or k.jiffies < k.next_sleep_report:
        return
    k.next_sleep_report = k.jiffies + k.hz
    task, number = cpu.current, release_number(k.release.name)
    off = PSR_I_BIT if cpu.irqs_disabled else 0
    non_block = " non_block: 0," if number >= NON_BLOCK_SINCE else ""
    printk(k, KERN_ERR, f"BUG: sleeping function called from invalid context at {place}")
    printk(
        k,
        KERN_ERR,
        f"in_atomic(): {int(cpu.preempt_count != 0)}, irqs_disabled(): {off},{non_block}"
        f" pid: {task.pid}, name: {task.comm}",
    )
    if number >= COUNTS_SINCE:
        printk(k, KERN_ERR, f"preempt_count: {cpu.preempt_count & U32:x}, expected: 0")
        if k.preemption:
            printk(k, KERN_ERR, "RCU nest depth: 0, expected: 0")
    dump_stack(k, cpu)
    k.is_tainted = True


def preempt_count_leak(k: Kernel, cpu: Cpu, vec: int, count: int) -> None:
    """A vector's action has left preempt_count otherwise than it found it: report, put it right.

    Source: kernel/softirq.c: __do_softirq.
    """
    # %p of the vector's action: 32 bits that tell nothing but sameness.
    pointer = (vec + 1) * 0x9E3779B1 & 0xFFFFFFFF
    digits = 16 if k.arch == "arm64" else 8
    printk(
        k,
        KERN_ERR,
        f"softirq: huh, entered softirq {vec} {SOFTIRQ_NAMES[vec]} {pointer:0{digits}x} with "
        f"preempt_count {count:08x}, exited with {cpu.preempt_count & 0xFFFFFFFF:08x}?",
    )
    cpu.preempt_count = count
