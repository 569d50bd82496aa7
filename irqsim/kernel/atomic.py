"""Reports of code that sleeps, or leaves, where preempt_count says that it must not.

Differs: CONFIG_DEBUG_ATOMIC_SLEEP is off, as in the distribution's build: who might sleep and
does not is not reported ("sleeping function called from invalid context").
"""

from __future__ import annotations

from typing import Final

from irqsim.kernel.preempt import PREEMPT_OFFSET
from irqsim.kernel.printk import KERN_ERR, KERN_WARNING, NO_MODULES, dump_stack, printk
from irqsim.kernel.state import Cpu, Kernel
from irqsim.units import SOFTIRQ_NAMES

U32: Final = 0xFFFFFFFF


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
