"""A capture taken apart: which code did what, at each of its occurrences.

Theory of operation.  The records of a log are walked in their order.  Each CPU has a stack, as
the machine has: a task, softirqs on top of it, hard interrupts on top of those.  What a record
says is written into the occurrence of the code on top of its CPU's stack, with the time that
this code itself took since its last step; time that interrupts took is theirs.  Run again at
the same times, such code does the same at the same times.

Three things lead from one occurrence to another: a raised vector to its run, an inter-processor
interrupt from its sender to its target, a wake-up to the task that runs.  They are matched here;
where one end is not in the log, a step is put where it must have been.

What the model does by itself is not written down: ksoftirqd, the threads of interrupts and their
wake-ups.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.analysis.capture import IPI, Capture
from irqsim.analysis.occurrence import Body, Frame, IpiStep, Slot
from irqsim.analysis.story import CpuPlace, Story
from irqsim.analysis.unwind_tasks import TaskUnwinder
from irqsim.events import (
    BH_OFF,
    HARDIRQ,
    IPI_ENTRY,
    IPI_EXIT,
    IPI_RAISE,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    NEED_RESCHED,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKEUP_NEW,
    SCHED_WAKING,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    SOFTIRQ_RAISE,
    Context,
    Event,
    Record,
    Tracepoint,
)
from irqsim.units import SOFTIRQ_NAMES

ENDLESS_NS: Final = 3_600_000_000_000
"""How long code runs that the end of the log cuts off."""

Handler = Callable[["Unwinder", CpuPlace, int, Context, Event], None]


class Unwinder(TaskUnwinder):
    """Walks the records of one capture."""

    def __init__(self, capture: Capture, story: Story, text_of: Callable[[Event], str]) -> None:
        """`text_of` prints an event as the log has it."""
        super().__init__(capture, story, text_of)
        self._has_switches = capture.has("sched_switch")
        self._shift_ns = story.start_ns - story.lead_ns
        self._sent: dict[tuple[int, int], list[tuple[IpiStep, int]]] = {}
        """Senders of IPIs that have not arrived: by target and number, with their times."""

    def walk(self) -> None:
        """Take all records in, and close what is open at the end."""
        now_ns = 0
        for record in self.capture.records:
            now_ns = record[0] - self._shift_ns
            self._take(now_ns, record)
        for place in self.story.places:
            for frame in place.stack:
                frame.suspend(now_ns)
                if frame.body is not None:
                    is_idle = place.pid == 0 and frame is place.stack[0]
                    verb = "wait" if is_idle else frame.verb
                    frame.body.add_time(frame.owed_ns + ENDLESS_NS, verb)
        self.story.end_ns = now_ns + 1

    def _take(self, now_ns: int, record: Record) -> None:
        _, context, event = record
        place = self.story.places[context.cpu]
        if not place.stack:
            self._begin(place, context)
        elif context.pid != place.pid:
            self._changed_unseen(place, now_ns, context)
        self._close_lost(place, context)
        tracepoint = event.tracepoint
        is_tail = len(place.stack) == 1 and tracepoint is not IRQ_HANDLER_ENTRY
        place.is_tail = is_tail and bool(context.flags & HARDIRQ)
        if place.is_wanted and not context.flags & NEED_RESCHED and not self._has_switches:
            self._forget_wanted(place)
        is_new = context.flags & NEED_RESCHED and not place.is_wanted
        if is_new:
            place.is_wanted = True
            if self._is_models_wakeup(event):
                is_new = 0
            else:
                place.wanted_slot = Slot("need_resched")
        if is_new and tracepoint not in (IRQ_HANDLER_ENTRY, SOFTIRQ_ENTRY):
            self._write(place, now_ns, place.wanted_slot)
            is_new = 0
        if len(place.stack) == 1:
            self._look_at_bh(place, now_ns, context, tracepoint)
        _HANDLERS.get(tracepoint, Unwinder._other)(self, place, now_ns, context, event)
        place.is_fresh = False
        body = place.stack[-1].body
        if is_new and body is not None and place.wanted_slot is not None:
            body.add(place.wanted_slot)

    def _close_lost(self, place: CpuPlace, context: Context) -> None:
        """What the flags say is over has ended in records that are not there."""
        if not self.capture.header.has_irq_info or context.flags & HARDIRQ:
            return
        while place.stack[-1].kind == "irq" or (
            place.stack[-1].kind == "softirq" and not context.flags & SOFTIRQ
        ):
            self.story.nr_left_out += 1
            self._pop(place, place.stack[-1].last_ns)

    # -- interrupts ------------------------------------------------------------------------

    def _irq_entry(self, place: CpuPlace, now_ns: int, context: Context, event: Event) -> None:
        irq, name = int(str(event.values[0])), str(event.values[1])
        if place.stack[-1].kind == "irq":
            # Hard interrupts do not nest: the end of the last one is not in the log.
            self.story.nr_left_out += 1
            self._pop(place, place.stack[-1].last_ns)
        if len(place.stack) == 1 and context.flags & SOFTIRQ and place.left_ns is not None:
            # Softirqs have begun, though no vector has: the time is theirs.
            place.softirq_ns += now_ns - place.left_ns
            place.stack[0].last_ns = now_ns
        if len(place.stack) == 1 and not context.flags & SOFTIRQ:
            place.in_softirqs = False
        self._join_loop(place, now_ns, context)
        base = place.stack[-1]
        if base.kind == "thread" and base.number == irq:
            base.advance(now_ns)
        body: Body | None
        if name == IPI:
            body = self._arrived_ipi(place, now_ns, irq - self.capture.first_ipi)
        else:
            body = self._arrived(place, now_ns, irq, name)
        frame = Frame(body, now_ns, kind="irq", number=irq, name=name, began_ns=now_ns)
        self._push(place, now_ns, frame)

    def _join_loop(self, place: CpuPlace, now_ns: int, context: Context) -> None:
        """A GICv2's driver looks for more before softirqs run: this one came before that look."""
        is_outer = len(place.stack) == 1 and not context.flags & SOFTIRQ
        if self.capture.arch != "arm" or not is_outer or place.left_ns is None:
            return
        if any(place.raised) and place.last_body is not None and not place.is_bh_off:
            if place.stack[0].kind != "ksoftirqd":
                self._lengthen(place.last_body, now_ns + 1 - place.left_ns)
                place.stack[0].last_ns = now_ns

    def _arrived(self, place: CpuPlace, now_ns: int, irq: int, name: str) -> Body | None:
        """A device's interrupt; of the actions of a shared line, one after the other."""
        story, line = self.story, self.capture.lines[irq]
        device = story.device(irq, name)
        same = place.last_irq == irq and place.last_names and name not in place.last_names
        if same and place.stack[-1].last_ns == place.left_or(now_ns):
            place.last_names.append(name)
        else:
            story.arrivals.setdefault(irq, []).append((now_ns, place.cpu))
            place.last_names = [name]
        place.last_irq = irq
        if line.is_default(name):
            return None
        body = Body(now_ns, place.cpu)
        device.handlers.append(body)
        return body

    def _irq_exit(self, place: CpuPlace, now_ns: int, context: Context, event: Event) -> None:
        if place.is_fresh:
            self._began_before(place, int(str(event.values[0])))
        top = place.stack[-1]
        if top.kind != "irq" or top.number != event.values[0]:
            self.story.nr_left_out += 1
            return
        ret = int(str(event.values[1]))
        if top.body is not None:
            top.advance(now_ns)
            if top.name != IPI:
                line = self.capture.lines[top.number]
                if not ret:
                    top.body.add("return IRQ_NONE")
                elif len(line.names) > 1:
                    top.body.add("return IRQ_WAKE_THREAD" if line.threads else "return IRQ_HANDLED")
            self._pop(place, now_ns)
            place.last_body = top.body
        else:
            # The kernel's own handler: the model gives it no time.
            place.stack[-2].last_ns = top.began_ns
            place.stack.pop()
            place.left_ns = now_ns if len(place.stack) == 1 else place.left_ns
            place.last_body = None
        base = place.stack[-1]
        if base.kind == "thread" and base.number == top.number:
            place.stack[-1] = self._section(place, now_ns, place.pid)

    def _began_before(self, place: CpuPlace, irq: int) -> None:
        """A log that starts in an interrupt: it came when nothing was recorded yet."""
        line = self.capture.lines.get(irq)
        if line is None or place.stack[0].kind != "task" or line.is_default(line.names[0]):
            return
        began_ns = self.story.lead_ns * 3 // 4
        place.stack[0].advance(began_ns)
        body: Body | None
        if line.names[0] == IPI:
            body = self._arrived_ipi(place, began_ns, irq - self.capture.first_ipi)
        else:
            body = self._arrived(place, began_ns, irq, line.names[0])
        frame = Frame(body, began_ns, kind="irq", number=irq, name=line.names[0])
        self._push(place, began_ns, frame)

    def _arrived_ipi(self, place: CpuPlace, now_ns: int, number: int) -> Body:
        """An IPI: of the senders that wait for it, the first is its cause."""
        story = self.story
        body = Body(now_ns, place.cpu, words=f"IPI{max(number, 0)}")
        story.ipis.append(body)
        senders = self._sent.pop((place.cpu, number), [])
        if senders:
            step, sent_ns = senders[0]
            step.targets[place.cpu] = f"+{now_ns - sent_ns}ns#{len(story.ipis)}"
        else:
            body.words += " unseen"
            story.nr_unseen_ipis += 1
        place.last_irq = -1
        return body

    def _ipi_raise(self, place: CpuPlace, now_ns: int, context: Context, event: Event) -> None:
        reason = str(event["reason"])
        if reason not in self.capture.reasons:
            self._other(place, now_ns, context, event)
            return
        number = self.capture.reasons.index(reason)
        step = IpiStep(number)
        for cpu in _cpus_of(event["target_cpus"]):
            step.targets[cpu] = ""
            self._sent.setdefault((cpu, number), []).append((step, now_ns))
        self._write(place, now_ns, step)

    def _ipi_line(self, place: CpuPlace, now_ns: int, context: Context, event: Event) -> None:
        """ipi_entry and ipi_exit: the model's."""

    # -- softirqs --------------------------------------------------------------------------

    def _raise(self, place: CpuPlace, now_ns: int, context: Context, event: Event) -> None:
        vec = int(str(event.values[0]))
        slot, bh = Slot(), Slot()
        if len(place.stack) == 1:
            self._write(place, now_ns, bh)
            place.raise_bh = bh
        self._write(place, now_ns, slot)
        self._write(place, now_ns, f"raise_softirq {SOFTIRQ_NAMES[vec]}")
        place.raised[vec].append(slot)

    def _softirq_entry(self, place: CpuPlace, now_ns: int, context: Context, event: Event) -> None:
        vec = int(str(event.values[0]))
        body = Body(now_ns, place.cpu)
        story = self.story
        if len(place.stack) == 1:
            if not place.in_softirqs or place.stack[0].kind == "ksoftirqd":
                body.words = "anew"
            self._enter_softirqs(place, now_ns, context, body)
        bodies = story.softirqs.setdefault(vec, [])
        bodies.append(body)
        work = f"softirq_work {SOFTIRQ_NAMES[vec]} {len(bodies)}"
        slots = place.raised[vec] or place.spare[vec]
        if slots:
            slots[0].text = work
            place.spare[vec] = slots[-1:] if len(slots) > 1 else []
            place.raised[vec] = []
        else:
            self._raise_unseen(place, work, vec)
        self._push(place, now_ns, Frame(body, now_ns, kind="softirq", number=vec))
        place.last_irq = -1

    def _enter_softirqs(
        self, place: CpuPlace, now_ns: int, context: Context, body: Body
    ) -> None:
        """The first vector of a run, or the next: at an interrupt's end, or in a task's code."""
        base = place.stack[0]
        is_forced = base.kind == "thread" and self.capture.lines[base.number].is_forced
        if base.kind == "ksoftirqd":
            if base.body is not None:
                base.advance(now_ns)
                base.body = None
            else:
                body.delay_ns = base.owed_ns + now_ns - base.last_ns
                base.owed_ns, base.last_ns = 0, now_ns
        elif is_forced:
            base.advance(now_ns)
            base.body = None
        elif place.left_ns is not None and not place.is_bh_off:
            body.delay_ns = place.softirq_ns + now_ns - place.left_ns
            base.last_ns = now_ns
        else:
            if not place.is_bh_off and place.raise_bh is not None:
                place.raise_bh.text = "local_bh_disable"
            elif not place.is_bh_off:
                self._write(place, now_ns, "local_bh_disable")
            self._write(place, now_ns, "local_bh_enable")
            place.is_bh_off = False
        place.softirq_ns = 0
        place.raise_bh = None

    def _raise_unseen(self, place: CpuPlace, work: str, vec: int) -> None:
        """A vector runs that nobody is seen to raise: the last interrupt did, or the task."""
        self.story.nr_unseen_raises += 1
        if place.lead_slot is not None and not place.lead_slot.text and not place.in_softirqs:
            place.lead_slot.text = f"{work}; raise_softirq {SOFTIRQ_NAMES[vec]}"
            return
        target: Body | None = place.last_softirq if place.in_softirqs else place.last_body
        for frame in place.stack[1:]:
            target = frame.body or target
        steps = [work, f"softirq_pending {SOFTIRQ_NAMES[vec]}"]
        if target is not None:
            end = target.steps
            at = len(end) - (1 if end and str(end[-1]).startswith("return") else 0)
            end[at:at] = steps
        elif place.stack[0].body is not None:
            place.stack[0].body.steps += ["local_bh_disable", *steps, "local_bh_enable"]

    def _softirq_exit(self, place: CpuPlace, now_ns: int, context: Context, event: Event) -> None:
        if place.is_fresh and place.stack[0].kind in ("task", "ksoftirqd"):
            began_ns = self.story.lead_ns * 3 // 4
            self._softirq_entry(place, began_ns, context, event)
        top = place.stack[-1]
        if top.kind != "softirq" or top.number != event.values[0]:
            self.story.nr_left_out += 1
            return
        top.advance(now_ns)
        self._pop(place, now_ns)
        place.in_softirqs = len(place.stack) == 1
        place.last_softirq = top.body
        if place.stack[0].body is None and len(place.stack) == 1:
            place.left_ns = None

    def _look_at_bh(
        self, place: CpuPlace, now_ns: int, context: Context, tracepoint: Tracepoint
    ) -> None:
        """Bottom halves go off or on in a task's code; interrupts show it too."""
        base = place.stack[0]
        is_off = bool(context.flags & BH_OFF)
        if base.kind != "task" or base.body is None or is_off == place.is_bh_off:
            return
        if tracepoint is SOFTIRQ_ENTRY or context.flags & SOFTIRQ:
            return
        # Before the interrupt, which comes first within an instant.
        base.advance(max(now_ns - 1, base.last_ns))
        base.body.add("local_bh_disable" if is_off else "local_bh_enable")
        place.is_bh_off = is_off

    def _other(self, place: CpuPlace, now_ns: int, context: Context, event: Event) -> None:
        self._write(place, now_ns, self._told(place, context, event))


def _cpus_of(value: object) -> list[int]:
    """The CPUs of a mask, as an int or as it is printed."""
    mask = value if isinstance(value, int) else int(str(value).replace(",", ""), 16)
    return [cpu for cpu in range(mask.bit_length()) if mask >> cpu & 1]


_HANDLERS: Final[dict[Tracepoint, Handler]] = {
    SCHED_SWITCH: Unwinder._switch,
    SCHED_WAKING: Unwinder._waking,
    SCHED_WAKEUP: Unwinder._wakeup,
    SCHED_WAKEUP_NEW: Unwinder._wakeup,
    IRQ_HANDLER_ENTRY: Unwinder._irq_entry,
    IRQ_HANDLER_EXIT: Unwinder._irq_exit,
    IPI_RAISE: Unwinder._ipi_raise,
    IPI_ENTRY: Unwinder._ipi_line,
    IPI_EXIT: Unwinder._ipi_line,
    SOFTIRQ_RAISE: Unwinder._raise,
    SOFTIRQ_ENTRY: Unwinder._softirq_entry,
    SOFTIRQ_EXIT: Unwinder._softirq_exit,
}
