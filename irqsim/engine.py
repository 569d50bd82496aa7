"""The loop: who acts next, and how far a CPU gets before somebody else does.

Theory of operation.  Each CPU has a stack of frames, the lowest its current task's own code,
above it the interrupts that came on top.  Stepping a CPU resumes the top frame's path until it
yields a duration; the CPU is then due again when that is over.  An interrupt signal that rises
meanwhile, on a CPU with interrupts enabled, ends the stretch: the frame keeps what it still
owes, and the interrupt's frame goes on top.  When that path returns the frame below goes on
with what it owes.  A task switch swaps the whole stack.

At the same instant the hardware acts first, in the order in which its events were scheduled,
then the CPUs in ascending number.  The heap holds single integers, time and CPU; an entry is
stale when the CPU is no longer due then.  After a step the same CPU is stepped again for as
long as it is the next to act: what it does to others lowers that limit at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import repeat
from typing import Final

from irqsim.clock import NEVER
from irqsim.errors import LimitError
from irqsim.kernel.frame import Frame
from irqsim.kernel.preempt import HARDIRQ_OFFSET, SOFTIRQ_OFFSET
from irqsim.kernel.state import IDLE, PANIC, SWITCH, Cpu, Kernel
from irqsim.kernel.trace import BATCH

INSTANT_STEPS_MAX: Final = 100_000
"""Steps of one CPU within one instant: more, and time stands still."""

_RETURNED: Final = -100
"""What a path that has come to its end gives: nothing that a path yields."""

_INTERRUPTED: Final = repeat(0)
"""The path of a CPU whose state is to be looked at before it goes on."""


class Engine:
    """Lets time pass on one machine."""

    __slots__ = ("_changed", "_heap", "_irq", "_k", "_limit_ns", "_mask", "_nmi", "_shift")

    def __init__(
        self,
        kernel: Kernel,
        irq: list[bool],
        nmi: list[bool],
        changed: list[int],
    ) -> None:
        """`irq` holds the interrupt signal of each CPU, `nmi` whether it comes through where
        interrupts are masked by priority; `changed` collects those that rose."""
        self._k = kernel
        self._irq = irq
        self._nmi = nmi
        self._changed = changed
        self._shift = max(1, (len(kernel.cpus) - 1).bit_length())
        self._mask = (1 << self._shift) - 1
        self._heap = [cpu.number for cpu in kernel.cpus]
        self._limit_ns = NEVER
        kernel.power_on = self._power_on

    def stop(self) -> None:
        """Let nothing further happen."""
        self._limit_ns = -1

    def run(self, end_ns: int | None = None) -> None:
        """Run until nothing is left to happen, or up to `end_ns`, which is not included.

        Raises LimitError when a CPU acts without end in one instant.
        """
        k, heap, queue, irq, changed = self._k, self._heap, self._k.queue, self._irq, self._changed
        shift, mask, records = self._shift, self._mask, self._k.trace_records
        if self._limit_ns >= 0:
            self._limit_ns = NEVER if end_ns is None else end_ns
        # Nobody's entry: the heap is never empty, and no CPU runs ahead of the end.
        heappush(heap, self._limit_ns << shift)
        while True:
            if changed:
                self._deliver()
            key = heap[0]
            now_ns = key >> shift
            if queue.next_ns <= now_ns:
                now_ns = queue.next_ns
                if now_ns >= self._limit_ns:
                    break
                if len(records) >= BATCH:
                    k.trace_flush()
                k.now_ns = now_ns
                queue.run_due(now_ns)
                continue
            if now_ns >= self._limit_ns:
                break
            heappop(heap)
            number = key & mask
            cpu = k.cpus[number]
            if cpu.due_ns != now_ns:
                continue
            # Step this CPU until somebody else acts before it or at the same time.
            others_ns = heap[0] >> shift
            stretch_ns, time = now_ns - cpu.since_ns, cpu.time
            path: Iterator[int] = _INTERRUPTED if irq[number] or cpu.frame.owed else cpu.frame.path
            while True:
                k.now_ns = now_ns
                # Charge the stretch that is over to what the CPU did in it.
                if cpu.preempt_count >= HARDIRQ_OFFSET:
                    time.hardirq_ns += stretch_ns
                elif cpu.preempt_count & SOFTIRQ_OFFSET:
                    time.softirq_ns += stretch_ns
                else:
                    self._charge_task(cpu, stretch_ns)
                stretch_ns = next(path, _RETURNED)
                if stretch_ns <= 0 or (irq[number] and self._takes_interrupts(cpu)):
                    stretch_ns = self._act(cpu, stretch_ns)
                    path = cpu.frame.path
                now_ns += stretch_ns
                if now_ns >= others_ns or now_ns >= queue.next_ns or changed:
                    break
            cpu.since_ns = k.now_ns
            if stretch_ns == NEVER:
                cpu.due_ns = NEVER
            else:
                cpu.due_ns = now_ns
                heappush(heap, now_ns << shift | number)
        self._finish(end_ns)

    def _power_on(self, cpu: Cpu) -> None:
        """Let a CPU that was off go on, where it went off."""
        assert not cpu.is_online, cpu.number
        now_ns = self._k.now_ns
        self._charge_task(cpu, now_ns - cpu.since_ns)
        cpu.since_ns = cpu.due_ns = now_ns
        heappush(self._heap, now_ns << self._shift | cpu.number)
        # Whoever does it runs on no longer than up to now.
        self._changed.append(cpu.number)

    def _deliver(self) -> None:
        """Interrupt the CPUs whose signal rose, where they can be interrupted."""
        now_ns = self._k.now_ns
        for number in self._changed:
            cpu = self._k.cpus[number]
            if cpu.due_ns <= now_ns or not self._irq[number] or not self._takes_interrupts(cpu):
                continue
            if cpu.due_ns != NEVER:
                cpu.frame.owed = cpu.due_ns - now_ns
            cpu.due_ns = now_ns
            heappush(self._heap, now_ns << self._shift | number)
        self._changed.clear()

    def _act(self, cpu: Cpu, cost_ns: int) -> int:
        """Let a CPU act in this instant; returns how long its next stretch is, NEVER if it waits.

        `cost_ns` is what its path has just yielded, 0 if nothing yet.
        """
        irq, number = self._irq, cpu.number
        budget = INSTANT_STEPS_MAX
        while budget:
            if cost_ns > 0:
                if not irq[number] or not self._takes_interrupts(cpu):
                    return cost_ns
                cpu.frame.owed = cost_ns
            elif cost_ns == _RETURNED:
                self._return(cpu)
            elif cost_ns == SWITCH:
                cpu.frames = cpu.current.frames
                cpu.frame = cpu.frames[-1]
            elif cost_ns == IDLE:
                if not irq[number]:
                    return NEVER
            elif cost_ns == PANIC:
                self.stop()
                return NEVER
            if irq[number] and self._takes_interrupts(cpu):
                self._take_interrupt(cpu)
            frame = cpu.frame
            cost_ns = frame.owed
            if cost_ns:
                frame.owed = 0
            else:
                cost_ns = next(frame.path, _RETURNED)
                budget -= 1
        task = cpu.current
        raise LimitError(
            f"CPU {number} acted {INSTANT_STEPS_MAX} times at {self._k.now_ns} ns without time "
            f"passing (in {task.comm}-{task.pid}): steps that loop must take time"
        )

    def _takes_interrupts(self, cpu: Cpu) -> bool:
        """Whether a CPU takes the interrupt that is signalled."""
        return not cpu.irqs_disabled or (self._nmi[cpu.number] and not cpu.psr_i)

    def _take_interrupt(self, cpu: Cpu) -> None:
        """The processor takes an IRQ exception: interrupts off, the interrupt's frame on top."""
        path = self._k.interrupt(self._k, cpu)
        frame = Frame(path, True, cpu.preempt_count, cpu.irqs_disabled)
        cpu.frames.append(frame)
        cpu.frame = frame
        cpu.irqs_disabled = cpu.psr_i = True

    def _return(self, cpu: Cpu) -> None:
        """The processor returns from an exception, to the masks of what it interrupted."""
        frame = cpu.frame
        assert frame.is_irq, f"{cpu.current.comm} returned from its own code"
        assert cpu.preempt_count == frame.preempt_count, hex(cpu.preempt_count)
        cpu.frames.pop()
        cpu.frame = cpu.frames[-1]
        cpu.irqs_disabled = frame.irqs_disabled
        cpu.psr_i = False

    def _charge_task(self, cpu: Cpu, elapsed_ns: int) -> None:
        """Charge time spent outside of interrupts and softirqs."""
        task, time = cpu.current, cpu.time
        if not cpu.is_online:
            time.offline_ns += elapsed_ns
        elif task is cpu.idle:
            time.idle_ns += elapsed_ns
        elif task.in_user and len(cpu.frames) == 1:
            time.user_ns += elapsed_ns
        else:
            time.system_ns += elapsed_ns

    def _finish(self, end_ns: int | None) -> None:
        """Bring every CPU's account up to the end."""
        k = self._k
        if end_ns is not None and self._limit_ns >= 0:
            k.now_ns = end_ns
        for cpu in k.cpus:
            elapsed_ns = k.now_ns - cpu.since_ns
            cpu.since_ns = k.now_ns
            if cpu.preempt_count >= HARDIRQ_OFFSET:
                cpu.time.hardirq_ns += elapsed_ns
            elif cpu.preempt_count & SOFTIRQ_OFFSET:
                cpu.time.softirq_ns += elapsed_ns
            else:
                self._charge_task(cpu, elapsed_ns)
