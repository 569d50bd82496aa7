"""Tasks in a capture that is taken apart: who runs, who gives way, who wakes whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.analysis.capture import KSOFTIRQD, THREAD, Capture
from irqsim.analysis.occurrence import Body, Frame, IpiStep, Slot
from irqsim.analysis.story import CpuPlace, Story, TaskStory
from irqsim.events import (
    HARDIRQ,
    IRQS_OFF,
    SCHED_WAKEUP,
    SCHED_WAKEUP_NEW,
    TASK_PREEMPTED,
    TASK_RUNNING,
    Context,
    Event,
)

STATES: Final = {
    0x00: "R", 0x01: "S", 0x02: "D", 0x04: "T", 0x08: "t", 0x10: "X", 0x20: "Z", 0x40: "P",
    0x80: "I",
}  # fmt: skip


class TaskUnwinder:
    """The part of a walk that is about tasks."""

    def __init__(self, capture: Capture, story: Story, text_of: Callable[[Event], str]) -> None:
        """`text_of` prints an event as the log has it."""
        self.capture = capture
        self.story = story
        self._text_of = text_of

    # -- writing ---------------------------------------------------------------------------

    def _write(self, place: CpuPlace, now_ns: int, step: str | Slot | IpiStep | None) -> None:
        """A step of the code on top, now."""
        top = place.stack[-1]
        if place.is_tail and place.last_body is not None and place.left_ns is not None:
            # Still the interrupt's, though its handlers are done.
            self._lengthen(place.last_body, now_ns - place.left_ns, step)
            place.left_ns = top.last_ns = now_ns
            return
        if len(place.stack) == 1:
            place.left_ns = None
            place.in_softirqs = False
        top.advance(now_ns)
        if top.body is not None and step is not None:
            top.body.add(step)

    def _told(self, place: CpuPlace, context: Context, event: Event) -> str:
        """The step for a line of the log that nothing else stands for."""
        is_off = place.stack[-1].kind != "irq" and not place.is_tail and context.flags & IRQS_OFF
        return f"{'event_irqs_off' if is_off else 'event'} {self._text_of(event)}"

    def _push(self, place: CpuPlace, now_ns: int, frame: Frame) -> None:
        place.stack[-1].suspend(now_ns)
        place.stack.append(frame)

    def _pop(self, place: CpuPlace, now_ns: int) -> None:
        place.stack.pop()
        base = place.stack[-1]
        base.resume(now_ns)
        if len(place.stack) == 1:
            place.left_ns = now_ns
            if place.pid == 0 and place.is_wanted:
                base.end_wait()

    # -- who runs --------------------------------------------------------------------------

    def _begin(self, place: CpuPlace, context: Context) -> None:
        """The first record of a CPU: its task has run since before the log."""
        story, half_ns = self.story, self.story.lead_ns // 2
        place.stack.append(self._section(place, 0, 0))
        task = story.task_of(context.pid, context.comm, place.cpu)
        if context.pid == 0:
            return
        body = place.stack[0].body
        assert body is not None
        body.add_time(half_ns, "wait")
        if task.is_scripted:
            body.add(f"activate {task.name} {place.cpu}")
        else:
            place.lead_slot = Slot()
            body.add(place.lead_slot)
        body.add("switch R")
        story.switches.append((half_ns, place.cpu, story.idle_name(place.cpu), task.name))
        task.state = "running"
        place.pid = context.pid
        place.stack[0] = self._section(place, half_ns, context.pid)

    def _section(self, place: CpuPlace, now_ns: int, pid: int) -> Frame:
        """A task comes to run: its next section."""
        body = Body(now_ns, place.cpu)
        if pid == 0:
            self.story.idle[place.cpu].append(body)
            return Frame(body, now_ns, verb="wait")
        thread = self.capture.thread_of.get(pid)
        if thread is not None:
            irq, name, is_secondary = thread
            line = self.capture.lines[irq]
            if line.is_forced and not is_secondary:
                self.story.device(irq, name).handlers.append(body)
            else:
                self.story.device(irq, name).threads.append(body)
            return Frame(body, now_ns, kind="thread", number=irq, name=name)
        task = self.story.tasks[pid]
        if not task.is_scripted:
            if task.name in self.story.ksoftirqd:
                self.story.ksoftirqd[task.name].append(body)
                return Frame(body, now_ns, kind="ksoftirqd", tail=body)
            return Frame(None, now_ns)
        task.bodies.append(body)
        return Frame(body, now_ns)

    def _changed_unseen(self, place: CpuPlace, now_ns: int, context: Context) -> None:
        """Another task runs than the log has said: the switch itself is not in it."""
        self._close(place, now_ns)
        self.story.task_of(context.pid, context.comm, place.cpu)
        state = TASK_RUNNING if place.pid == 0 or place.is_wanted else 0x01
        self._switch_to(place, max(now_ns - 1, place.stack[0].last_ns), context.pid, state)

    def _close(self, place: CpuPlace, now_ns: int) -> None:
        """What is on top of the task must have ended."""
        while len(place.stack) > 1:
            place.stack[-1].advance(now_ns)
            self._pop(place, now_ns)

    def _switch_to(self, place: CpuPlace, now_ns: int, pid: int, state: int) -> None:
        """The task on `place` gives way to another."""
        story = self.story
        prev, following = story.tasks.get(place.pid), story.tasks.get(pid)
        base = place.stack[0]
        prev_name = prev.name if prev is not None else story.idle_name(place.cpu)
        next_name = following.name if following is not None else story.idle_name(place.cpu)
        if place.is_bh_off and base.body is not None:
            base.body.add("local_bh_enable")
        place.is_bh_off = False
        if base.tail is not None and base.body is None:
            base.tail.delay_ns = base.owed_ns + now_ns - base.last_ns
        base.advance(now_ns)
        if following is not None and following.state == "asleep":
            self._activate_unseen(place, following)
        gives_way = base.kind == "ksoftirqd" and not state & 0xFF
        if base.body is not None and (base.kind == "task" or gives_way):
            plus = "+" if state & TASK_PREEMPTED else ""
            base.body.add(f"switch {STATES.get(state & 0xFF, 'S')}{plus}")
        if prev is not None:
            prev.state = "ready" if not state & 0xFF else "asleep"
        if following is not None:
            following.state = "running"
        story.switches.append((now_ns, place.cpu, prev_name, next_name))
        place.pid, place.is_wanted, place.wanted_slot, place.left_ns = pid, False, None, None
        place.in_softirqs = False
        place.stack[0] = self._section(place, now_ns, pid)

    def _activate_unseen(self, place: CpuPlace, task: TaskStory) -> None:
        """A task runs that slept, and the log does not say who woke it."""
        if not task.is_scripted:
            return
        text = f"activate {task.name} {place.cpu}"
        slot, base = place.wanted_slot, place.stack[0]
        self.story.nr_unseen_wakeups += 1
        if slot is not None and slot.text == "need_resched":
            slot.text = f"{text}; need_resched"
        elif base.body is not None and base.kind == "task":
            base.body.add(text)
        elif base.body is not None:
            base.body.add(text)
        else:
            # ksoftirqd gives way: what it ran last is where a step can still be.
            last = place.last_softirq or place.last_body
            if last is None:
                self.story.nr_left_out += 1
            else:
                last.add(text)

    def _switch(self, place: CpuPlace, now_ns: int, context: Context, event: Event) -> None:
        self._close(place, now_ns)
        story = self.story
        pid, state = int(str(event["next_pid"])), int(str(event["prev_state"]))
        prev = story.tasks.get(place.pid)
        if prev is not None:
            self._rename(place, prev, str(event["prev_comm"]))
            prev.prio = int(str(event["prev_prio"]))
        following = story.task_of(pid, str(event["next_comm"]), place.cpu)
        following.prio = int(str(event["next_prio"]))
        if following.comm != str(event["next_comm"]) and following.bodies:
            last = following.bodies[-1]
            last.steps.insert(len(last.steps) - 1, f"exec {event['next_comm']}")
            following.comm = str(event["next_comm"])
        self._switch_to(place, now_ns, pid, state)

    def _rename(self, place: CpuPlace, task: TaskStory, comm: str) -> None:
        if task.comm != comm and place.stack[0].body is not None:
            place.stack[0].body.steps.insert(0, f"exec {comm}")
            task.comm = comm

    # -- wake-ups --------------------------------------------------------------------------

    def _is_models(self, pid: int, comm: str) -> bool:
        """Whether the model wakes this task by itself."""
        is_thread = pid in self.capture.thread_of or THREAD.fullmatch(comm) is not None
        return is_thread or KSOFTIRQD.fullmatch(comm) is not None

    def _forget_wanted(self, place: CpuPlace) -> None:
        """A task was to give way, and did, for a while that a log without switches does not show:
        as far as that goes it has run on."""
        slot = place.wanted_slot
        if slot is not None and slot.text == "need_resched":
            slot.text = ""
        place.is_wanted, place.wanted_slot = False, None
        place.stack[0].resume_wait()

    def _is_models_wakeup(self, event: Event) -> bool:
        """Whether an event is the end of a wake-up that the model does by itself."""
        if event.tracepoint is not SCHED_WAKEUP:
            return False
        return self._is_models(int(str(event["pid"])), str(event["comm"]))

    def _after_interrupt(self, place: CpuPlace, now_ns: int, context: Context) -> None:
        """The model does this: its time belongs to the interrupt that is just over."""
        if len(place.stack) == 1 and not context.flags & HARDIRQ:
            # ksoftirqd: a round of softirqs has ended, or bottom halves were on at a raise.
            place.in_softirqs = False
            place.raise_bh = None
        if len(place.stack) == 1 and place.left_ns is not None:
            gap_ns = now_ns - place.left_ns
            if context.flags & HARDIRQ and place.last_body is not None:
                self._lengthen(place.last_body, gap_ns)
                place.stack[0].last_ns = now_ns
            place.left_ns = now_ns
            if place.pid == 0 and place.is_wanted:
                place.stack[0].end_wait()

    def _waking(self, place: CpuPlace, now_ns: int, context: Context, event: Event) -> None:
        pid, comm, target = event["pid"], str(event["comm"]), event["target_cpu"]
        if self._is_models(int(str(pid)), comm):
            self._after_interrupt(place, now_ns, context)
            return
        task = self.story.task_of(int(str(pid)), comm, place.cpu)
        self._write(place, now_ns, f"sched_waking {task.name} {target}")

    def _wakeup(self, place: CpuPlace, now_ns: int, context: Context, event: Event) -> None:
        pid, comm, target = event["pid"], str(event["comm"]), int(str(event["target_cpu"]))
        if self._is_models(int(str(pid)), comm):
            self._after_interrupt(place, now_ns, context)
            return
        task = self.story.task_of(int(str(pid)), comm, place.cpu)
        task.prio = int(str(event["prio"]))
        if event.tracepoint is SCHED_WAKEUP_NEW:
            self._write(place, now_ns, self._told(place, context, event))
            self._write(place, now_ns, f"activate {task.name} {target}")
        elif task.state == "asleep":
            self._write(place, now_ns, f"sched_wakeup {task.name} {target}")
        else:
            self._write(place, now_ns, self._told(place, context, event))
        if task.state == "asleep":
            task.state = "ready"

    def _lengthen(
        self, body: Body, ns: int, step: str | Slot | IpiStep | None = None
    ) -> None:
        """Let an interrupt that is over have taken longer, and done a step then."""
        tail = Body(0, 0)
        tail.add_time(ns)
        if step is not None:
            if "later" not in body.steps:
                tail.steps.insert(0, "later")
            tail.add(step)
        end = body.steps
        at = len(end) - (1 if end and str(end[-1]).startswith("return") else 0)
        end[at:at] = tail.steps
