"""The timer wheel: timers counted in jiffies, run by the TIMER softirq.

A timer is sorted into a bucket by its distance: each level of the wheel is eight times coarser
than the one below, and a timer never fires early, so that it fires on the tick after the jiffy
that was asked for.  Within a bucket the last one added runs first.

Source: kernel/time/timer.c: calc_wheel_index, __mod_timer, run_local_timers, __run_timers,
collect_expired_timers, schedule_timeout.
Differs: every timer is pinned to the CPU that armed it; no deferrable base.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.events import (
    TASK_UNINTERRUPTIBLE,
    TIMER_CANCEL,
    TIMER_EXPIRE_ENTRY,
    TIMER_EXPIRE_EXIT,
    TIMER_PINNED,
    TIMER_START,
    Event,
)
from irqsim.kernel.migrate import migrate_disable, migrate_enable
from irqsim.kernel.sched import schedule
from irqsim.kernel.state import Cpu, Kernel, Path, Task
from irqsim.kernel.trace import trace
from irqsim.kernel.wakeup import wake_up_process

LVL_CLK_SHIFT: Final = 3
LVL_BITS: Final = 6
LVL_SIZE: Final = 1 << LVL_BITS
LVL_MASK: Final = LVL_SIZE - 1
NR_LEVELS: Final[dict[bool, int]] = {False: 8, True: 9}
"""LVL_DEPTH, by whether HZ exceeds 100."""
TIMER_ARRAY_SHIFT: Final = 22


class TimerList:
    """A struct timer_list.  Changed by the functions below only."""

    __slots__ = (
        "address",
        "bucket",
        "cpu",
        "expires",
        "function",
        "is_pending",
        "is_running",
        "level",
        "serial",
        "symbol",
    )

    address: int | str
    symbol: str
    function: Callable[[Kernel, Cpu], Path]
    expires: int
    """The jiffy that was asked for."""
    bucket: int
    """The jiffy at which it fires."""
    level: int
    serial: int
    cpu: int
    is_pending: bool
    is_running: bool

    def __init__(
        self, address: int | str, symbol: str, function: Callable[[Kernel, Cpu], Path]
    ) -> None:
        self.address = address
        self.symbol = symbol
        self.function = function
        self.expires = self.bucket = self.level = self.serial = self.cpu = 0
        self.is_pending = False
        self.is_running = False


class TimerBase:
    """One CPU's wheel."""

    __slots__ = ("clk", "pending", "serial", "stale")

    clk: int
    """Up to which jiffy the wheel has been run."""
    pending: list[TimerList]
    serial: int
    stale: int | None
    """The first bucket's jiffy when it was emptied by del_timer(): TIMER is raised for it all the
    same, unless an idle CPU looks again before (next_expiry_recalc)."""

    def __init__(self) -> None:
        self.clk = 0
        self.pending = []
        self.serial = 0
        self.stale = None

    @property
    def next_expiry(self) -> int | None:
        """The jiffy of the first bucket that holds a timer."""
        return min((timer.bucket for timer in self.pending), default=None)


def nsecs_to_jiffies_up(k: Kernel, duration_ns: int) -> int:
    """A time in jiffies, rounded up."""
    return -(-duration_ns // k.tick_ns)


def jiffies_printed(k: Kernel, jiffies: int) -> int:
    """Jiffies as traces show them: they start 300 s below the wrap of 32 bits.

    Source: include/linux/jiffies.h: INITIAL_JIFFIES.
    """
    return (1 << 32) - 300 * k.hz + k.trace_clock_ns // k.tick_ns + jiffies


def mod_timer(k: Kernel, cpu: Cpu, timer: TimerList, expires: int, target: Cpu) -> None:
    """Arm a timer for the wheel of `target`, or move it; `expires` is a jiffy.

    Source: kernel/time/timer.c: __mod_timer, forward_timer_base.
    """
    if timer.is_pending and timer.expires == expires:
        return
    base = target.timers
    # The wheel of a CPU without timers that are due stands still: bring it up to now first.
    first = base.next_expiry
    base.clk = max(base.clk, k.jiffies if first is None else min(first, k.jiffies))
    if timer.is_pending:
        start = jiffies_printed(k, 0)
        level, bucket = _calc_index(k, expires + start, base.clk + start)
        if (level, bucket - start, target.number) == (timer.level, timer.bucket, timer.cpu):
            timer.expires = expires
            return
        del_timer(k, cpu, timer)
    timer.expires = expires
    # Buckets are cut by the jiffies that the kernel counts, not by those since our start.
    start = jiffies_printed(k, 0)
    timer.level, bucket = _calc_index(k, expires + start, base.clk + start)
    timer.bucket = bucket - start
    timer.cpu = target.number
    timer.is_pending = True
    base.serial += 1
    timer.serial = base.serial
    base.pending.append(timer)
    if base.stale is not None and timer.bucket <= base.stale:
        base.stale = None
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    trace(k, cpu, _start_event(k, timer), depth=1)
    cpu.irqs_disabled = saved
    if target.tick.is_stopped and target.current is target.idle:
        target.tick.wants_look = True


def del_timer(k: Kernel, cpu: Cpu, timer: TimerList) -> bool:
    """Disarm a timer; False if it was not armed."""
    if not timer.is_pending:
        return False
    base = k.cpus[timer.cpu].timers
    base.pending.remove(timer)
    first = base.next_expiry
    if first is None or first > timer.bucket:
        base.stale = timer.bucket if base.stale is None else min(base.stale, timer.bucket)
    timer.is_pending = False
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    trace(k, cpu, k.events.intern(TIMER_CANCEL, timer.address), depth=1)
    cpu.irqs_disabled = saved
    return True


def timers_dead_cpu(k: Kernel, cpu: Cpu, dead: Cpu) -> None:
    """Put the timers of a dead CPU on the wheel of `cpu`, which runs this, bucket by bucket.

    Source: kernel/time/timer.c: timers_dead_cpu, migrate_timer_list.
    """
    for timer in sorted(dead.timers.pending, key=lambda each: (each.bucket, -each.serial)):
        expires = timer.expires
        del_timer(k, cpu, timer)
        mod_timer(k, cpu, timer, expires, cpu)


def timers_due(k: Kernel, cpu: Cpu) -> bool:
    """Whether the tick raises TIMER.  Source: run_local_timers()."""
    stale = cpu.timers.stale
    if stale is not None and stale <= k.jiffies:
        return True
    for timer in cpu.timers.pending:
        if timer.bucket <= k.jiffies:
            return True
    return False


def run_timer_softirq(k: Kernel, cpu: Cpu) -> Path:
    """The action of TIMER: run the timers of each bucket whose jiffy has come."""
    base = cpu.timers
    yield k.cost.timer_softirq
    if k.preempt_rt:
        # The base's expiry_lock, which del_timer_sync() waits for.
        migrate_disable(cpu)
    while True:
        first = base.next_expiry
        if first is None or first > k.jiffies:
            break
        base.clk = first + 1
        expired = [timer for timer in base.pending if timer.bucket == first]
        expired.sort(key=lambda timer: (-timer.level, -timer.serial))
        for timer in expired:
            if timer.is_pending and timer.bucket == first:
                yield from _expire_timer(k, cpu, timer, first)
    base.clk = max(base.clk, k.jiffies + 1)
    base.stale = None
    if k.preempt_rt:
        yield from migrate_enable(k, cpu)


def _expire_timer(k: Kernel, cpu: Cpu, timer: TimerList, baseclk: int) -> Path:
    """Source: kernel/time/timer.c: expire_timers, call_timer_fn."""
    del_timer(k, cpu, timer)
    timer.is_running = True
    entry = k.events.intern(
        TIMER_EXPIRE_ENTRY,
        timer.address,
        jiffies_printed(k, k.jiffies),
        timer.symbol,
        jiffies_printed(k, baseclk),
    )
    trace(k, cpu, entry)
    yield from timer.function(k, cpu)
    trace(k, cpu, k.events.intern(TIMER_EXPIRE_EXIT, timer.address))
    timer.is_running = False


def _calc_index(k: Kernel, expires: int, clk: int) -> tuple[int, int]:
    """The level of a timer's bucket, and the jiffy at which that fires."""
    delta = expires - clk
    if delta < 0:
        return 0, clk
    levels = NR_LEVELS[k.hz > 100]
    level = 0
    while level < levels - 1 and delta >= LVL_MASK << (level * LVL_CLK_SHIFT):
        level += 1
    shift = level * LVL_CLK_SHIFT
    expires = min(expires, clk + (LVL_MASK << shift))
    return level, ((expires + (1 << shift)) >> shift) << shift


def process_timeout(task: Task) -> Callable[[Kernel, Cpu], Path]:
    """The function of a timer that ends a task's sleep."""

    def path(k: Kernel, cpu: Cpu) -> Path:
        yield from wake_up_process(k, cpu, task)

    return path


def msleep(k: Kernel, task: Task, timer: TimerList, duration_ns: int) -> Path:
    """Sleep for at least so long, in whole jiffies; woken early, sleep on for the rest.

    The idle task, which must not sleep, does not come back to it.
    Source: kernel/time/timer.c: msleep, schedule_timeout.
    """
    milliseconds = -(-duration_ns // 1_000_000)
    timeout = -(-milliseconds * 1_000_000 // k.tick_ns) + (1 if k.release.msleep_adds_one else 0)
    while timeout > 0:
        cpu = k.cpus[task.cpu]
        expires = k.jiffies + timeout
        task.state = TASK_UNINTERRUPTIBLE
        mod_timer(k, cpu, timer, expires, cpu)
        yield from schedule(k, cpu)
        cpu = k.cpus[task.cpu]
        del_timer(k, cpu, timer)
        timeout = expires - k.jiffies if task is not cpu.idle else 0


def _start_event(k: Kernel, timer: TimerList) -> Event:
    shift = timer.level * LVL_CLK_SHIFT
    bucket = jiffies_printed(k, timer.bucket)
    index = timer.level * LVL_SIZE + (bucket >> shift & LVL_MASK)
    return k.events.intern(
        TIMER_START,
        timer.address,
        timer.symbol,
        jiffies_printed(k, timer.expires),
        jiffies_printed(k, timer.bucket),
        jiffies_printed(k, k.jiffies),
        index << TIMER_ARRAY_SHIFT | TIMER_PINNED | timer.cpu,
    )
