"""A detector of interrupt storms: ours, Linux has none.

What an operator would script: a line that interrupts more often than `storm_threshold` times a
second, counted over `storm_window`, is reported and disabled, as disable_irq_nosync() does it.
It is enabled again when `storm_hold` is over.  Or, with the action `poll`, a soft hrtimer calls
its handlers every `storm_poll` meanwhile, as poll_spurious_irqs() does; when in a whole window
some of these polls find nothing, and those that find something are no more than the threshold
allows, it goes back to interrupts.  (A poll takes all that there is: as long as every one of
them finds something nobody knows how much there was.)

Windows follow each other; each begins with the first interrupt behind the one before.
Per-CPU interrupts are not watched.  What it says in the log begins with `irqsim:`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.events import HRTIMER_MODE_REL, HRTIMER_MODE_SOFT
from irqsim.kernel.hrtimer import (
    HRTIMER_NORESTART,
    HRTIMER_RESTART,
    HrTimer,
    TimerPath,
    hrtimer_start,
)
from irqsim.kernel.irq.irqdesc import IRQ_NONE, IRQS_POLL_INPROGRESS, IRQS_STORM, IrqDesc
from irqsim.kernel.irq.manage import disable_irq_nosync, enable_irq
from irqsim.kernel.irq.resend import irq_sw_resend
from irqsim.kernel.printk import KERN_WARNING, printk
from irqsim.kernel.state import Cpu, HandlerPath, Kernel, Path
from irqsim.kernel.timer import TimerList, mod_timer, nsecs_to_jiffies_up
from irqsim.units import format_ns

NSEC_PER_SEC: Final = 1_000_000_000


class Watch:
    """What is known of one line."""

    __slots__ = ("begin_ns", "count", "nr_found", "nr_polls", "timer")

    begin_ns: int
    """When the window began."""
    count: int
    """Interrupts in it."""
    nr_polls: int
    """While it is polled: polls in the window, and those that found something."""
    nr_found: int
    timer: TimerList | HrTimer | None
    """What ends a hold, or polls."""

    def __init__(self) -> None:
        self.begin_ns = self.count = 0
        self.nr_polls = self.nr_found = 0
        self.timer = None


class StormDetector:
    """The settings, and what is known of each line."""

    __slots__ = (
        "_handle",
        "_hold_ns",
        "_limit",
        "_new_address",
        "_poll_ns",
        "_threshold",
        "_watches",
        "_window_ns",
    )

    def __init__(
        self,
        threshold: int,
        window_ns: int,
        hold_ns: int | None,
        poll_ns: int,
        new_address: Callable[[], int | str],
        handle_irq_event: Callable[[Kernel, Cpu, IrqDesc], HandlerPath],
    ) -> None:
        """`threshold` is in interrupts per second; `hold_ns` None: poll."""
        self._threshold = threshold
        self._window_ns = window_ns
        self._hold_ns = hold_ns
        self._poll_ns = poll_ns
        self._new_address = new_address
        self._handle = handle_irq_event
        # One interrupt alone is no rate.
        self._limit = max(1, threshold * window_ns // NSEC_PER_SEC)
        self._watches: dict[int, Watch] = {}

    def note(self, k: Kernel, cpu: Cpu, desc: IrqDesc) -> None:
        """Count an interrupt whose handlers have just returned; act if it is one too many."""
        if desc.istate & (IRQS_STORM | IRQS_POLL_INPROGRESS):
            return
        watch = self._watches.get(desc.irq)
        if watch is None:
            watch = self._watches[desc.irq] = Watch()
        if not watch.count or k.now_ns - watch.begin_ns >= self._window_ns:
            watch.begin_ns, watch.count = k.now_ns, 0
        watch.count += 1
        if watch.count > self._limit:
            self._stop_line(k, cpu, desc, watch)

    def _stop_line(self, k: Kernel, cpu: Cpu, desc: IrqDesc, watch: Watch) -> None:
        """Report and disable a line, and set the timer for what follows."""
        elapsed_ns = k.now_ns - watch.begin_ns
        then = f"polled every {format_ns(self._poll_ns)}"
        if self._hold_ns is not None:
            then = f"disabled for {format_ns(self._hold_ns)}"
        self._say(
            k,
            desc,
            f"storm, {watch.count} interrupts in {format_ns(elapsed_ns)} "
            f"(more than {self._threshold} per second): {then}",
        )
        watch.count = 0
        desc.istate |= IRQS_STORM
        disable_irq_nosync(desc)
        if self._hold_ns is None:
            watch.nr_polls = watch.nr_found = 0
            self._start_polling(k, cpu, desc, watch)
        else:
            self._start_hold(k, cpu, desc, watch, self._hold_ns)

    def _start_hold(
        self, k: Kernel, cpu: Cpu, desc: IrqDesc, watch: Watch, hold_ns: int
    ) -> None:
        timer = watch.timer
        if not isinstance(timer, TimerList):

            def function(k: Kernel, cpu: Cpu) -> Path:
                self._release(k, cpu, desc, f"enabled again after {format_ns(hold_ns)}")
                if k.resend.descs:
                    yield from irq_sw_resend(k, cpu)
                yield k.cost.irq_manage

            timer = watch.timer = TimerList(self._new_address(), "irqsim_storm_hold", function)
        mod_timer(k, cpu, timer, k.jiffies + nsecs_to_jiffies_up(k, hold_ns), cpu)

    def _start_polling(self, k: Kernel, cpu: Cpu, desc: IrqDesc, watch: Watch) -> None:
        timer = watch.timer
        if not isinstance(timer, HrTimer):

            def function(k: Kernel, cpu: Cpu, timer: HrTimer) -> TimerPath:
                result = yield from self._poll(k, cpu, desc, watch, timer)
                return result

            mode = HRTIMER_MODE_REL | HRTIMER_MODE_SOFT
            timer = watch.timer = HrTimer(
                self._new_address(), "irqsim_storm_poll", function, mode, is_soft=True
            )
        watch.begin_ns = k.now_ns
        hrtimer_start(k, cpu, timer, k.now_ns + self._poll_ns, cpu)

    def _poll(
        self, k: Kernel, cpu: Cpu, desc: IrqDesc, watch: Watch, timer: HrTimer
    ) -> TimerPath:
        """Call the line's handlers as if it had fired, and see whether the storm is over."""
        if not desc.istate & IRQS_STORM or not desc.actions:
            return HRTIMER_NORESTART
        if not desc.inprogress:
            desc.istate |= IRQS_POLL_INPROGRESS
            cpu.irqs_disabled = True
            retval = yield from self._handle(k, cpu, desc)
            cpu.irqs_disabled = False
            desc.istate &= ~IRQS_POLL_INPROGRESS
            yield 0
            watch.nr_polls += 1
            watch.nr_found += retval != IRQ_NONE
        if k.now_ns - watch.begin_ns >= self._window_ns:
            if watch.nr_found < watch.nr_polls and watch.nr_found <= self._limit:
                found = f"{watch.nr_found} of {watch.nr_polls} polls found something"
                self._release(k, cpu, desc, f"back to interrupts, {found}")
                if k.resend.descs:
                    yield from irq_sw_resend(k, cpu)
                return HRTIMER_NORESTART
            watch.begin_ns = k.now_ns
            watch.nr_polls = watch.nr_found = 0
        timer.expires_ns += ((k.now_ns - timer.expires_ns) // self._poll_ns + 1) * self._poll_ns
        return HRTIMER_RESTART

    def _release(self, k: Kernel, cpu: Cpu, desc: IrqDesc, words: str) -> None:
        """Enable a line again, unless its driver has done so or has given it back."""
        if not desc.istate & IRQS_STORM:
            return
        desc.istate &= ~IRQS_STORM
        if desc.actions and desc.depth:
            self._say(k, desc, words)
            enable_irq(k, cpu, desc)

    def _say(self, k: Kernel, desc: IrqDesc, words: str) -> None:
        names = ", ".join(action.name for action in desc.actions)
        printk(k, KERN_WARNING, f"irqsim: irq {desc.irq} ({names}): {words}")
