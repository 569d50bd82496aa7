"""Who can never go on: a CPU that waits for itself, and a task that does.

A CPU that spins is looked after by the watchdog: after 22 s (twice its threshold, and a look)
it says so, and the machine panics, as with kernel.softlockup_panic=1: a real one would spin
for ever.  With interrupts off the watchdog's timer is, too, and another CPU says that RCU waits
for this one (kernel.panic_on_rcu_stall=1).  Where it is certain from the start that a wait is in
vain (what is waited for runs on the same CPU, below what waits; locks are held in a circle) that
is found at once and said in words of ours, or in those of a kernel with CONFIG_DEBUG_SPINLOCK.

A task that sleeps for ever does no harm to others: it is reported at once in words of ours,
and after two minutes by khungtaskd in the kernel's.

Source: kernel/watchdog.c: watchdog_timer_fn; kernel/locking/spinlock_debug.c: spin_dump;
kernel/hung_task.c: check_hung_task; kernel/rcu/tree_stall.h: print_other_cpu_stall;
kernel/panic.c: panic.
Differs: khungtaskd knows of tasks that wait for themselves only, and of each to the second.
"""

from __future__ import annotations

from typing import Final

from irqsim.kernel.printk import KERN_EMERG, KERN_ERR, printk, taint
from irqsim.kernel.state import PANIC, Cpu, Kernel, Path, Task

HUNG_TASK_SECONDS: Final = 120
NSEC_PER_SEC: Final = 1_000_000_000


def panic(k: Kernel, words: str) -> Path:
    """Stop the machine here, with these words."""
    k.panicked = True
    printk(k, KERN_EMERG, f"Kernel panic - not syncing: {words}")
    yield PANIC


def soft_lockup(k: Kernel, cpu: Cpu, elapsed_ns: int) -> Path:
    """A CPU has spun for longer than the watchdog stands; with interrupts off RCU complains."""
    task = cpu.current
    if cpu.irqs_disabled:
        flavour = "rcu_preempt" if k.preemption else "rcu_sched"
        printk(k, KERN_ERR, f"rcu: INFO: {flavour} detected stalls on CPUs/tasks:")
        yield from panic(k, "RCU Stall")
    who = f"CPU#{cpu.number} stuck for {elapsed_ns // NSEC_PER_SEC}s! [{task.comm}:{task.pid}]"
    printk(k, KERN_EMERG, f"watchdog: BUG: soft lockup - {who}")
    yield from panic(k, "softlockup: hung tasks")


def waits_in_vain(k: Kernel, cpu: Cpu, what: str) -> Path:
    """A CPU has begun a wait for `what` that cannot end."""
    task = cpu.current
    who = f"CPU#{cpu.number} [{task.comm}:{task.pid}]"
    printk(k, KERN_EMERG, f"irqsim: lockup: {who} waits for {what}, and keeps it from that itself")
    yield from panic(k, "softlockup: hung tasks")


def spin_bug(k: Kernel, cpu: Cpu, message: str, lock: str, owner: Task, owner_cpu: int) -> Path:
    """A lock that can never be taken."""
    task = cpu.current
    printk(k, KERN_EMERG, f"BUG: spinlock {message} on CPU#{cpu.number}, {task.comm}/{task.pid}")
    printk(
        k,
        KERN_EMERG,
        f" lock: {lock}, .magic: dead4ead, .owner: {owner.comm}/{owner.pid}, "
        f".owner_cpu: {owner_cpu}",
    )
    yield from panic(k, "softlockup: hung tasks")


def never_wakes(k: Kernel, task: Task, what: str) -> None:
    """A task goes to sleep for `what`, and nobody but itself could wake it."""
    text = f"irqsim: task {task.comm}:{task.pid} sleeps for ever: it waits for {what}"
    printk(k, KERN_EMERG, text)
    # Looked at again then: somebody who knows better may have woken it.
    nr_switches = task.nr_switches
    k.queue.schedule(
        k.now_ns + HUNG_TASK_SECONDS * NSEC_PER_SEC,
        lambda now_ns: _check_hung_task(k, task, nr_switches),
    )


def _check_hung_task(k: Kernel, task: Task, nr_switches: int) -> None:
    """Differs: what the task was doing (sched_show_task) is left out."""
    if task.nr_switches > nr_switches + 1:
        return
    lines = (
        f"INFO: task {task.comm}:{task.pid} blocked for more than {HUNG_TASK_SECONDS} seconds.",
        f"      {taint(k)} {k.release.version} #1",
        '"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.',
    )
    printk(k, KERN_ERR, "\n".join(lines))
