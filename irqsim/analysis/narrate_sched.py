"""Wake-ups and switches told: who wakes whom and what for, and why one gives way to another."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from irqsim.analysis.narrate_scene import HARD, Ground, Scene, Telling
from irqsim.analysis.narrate_softirq import KTIMERS, why_ksoftirqd
from irqsim.analysis.passes import KSOFTIRQD
from irqsim.events import (
    NEED_RESCHED,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKING,
    TASK_DEAD,
    TASK_PREEMPTED,
    TASK_RUNNING,
    TASK_ZOMBIE,
    Tracepoint,
)

STATES: Final = "SDTtXZPI"
"""The letters of prev_state, by bit."""

_IRQ_THREAD: Final = re.compile(r"irq/([0-9]+)-(s-)?(.*)")


class Tasks:
    """Who has been woken."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.waking: dict[int, int] = {}
        """By pid: the CPU of the waker of a wake-up that is not complete."""

    def lost(self) -> None:
        """Records are missing."""
        self.waking.clear()

    def is_forced(self, irq: int, name: str) -> bool:
        """The thread of this line, so called, runs a handler that is forced into it."""
        line = self.ground.lines.get(irq)
        return line is not None and any(each.startswith(name) for each in line.forced)

    def is_oneshot(self, irq: int) -> bool:
        """The line is masked until its threads are done."""
        line = self.ground.lines.get(irq)
        return line is not None and line.is_oneshot


def _waking(scene: Scene, tasks: Tasks, nr_passes: int) -> Telling:
    tasks.waking[scene.number("pid")] = scene.context.cpu
    yield "sched_waking", {}
    yield from _purpose(scene, nr_passes)


def _wakeup(scene: Scene, tasks: Tasks, nr_passes: int) -> Telling:
    context = scene.context
    waker = tasks.waking.pop(scene.number("pid"), None)
    yield "sched_wakeup", {}
    if waker is None:
        yield from _purpose(scene, nr_passes)
    elif waker != context.cpu:
        yield "rule.wakeup_remote", {"waker": waker}
    is_new = context.flags & NEED_RESCHED and not scene.place.flags & NEED_RESCHED
    if is_new and scene.event["target_cpu"] == context.cpu:
        yield "rule.wakeup_preempts", {"current": scene.who}


def _purpose(scene: Scene, nr_passes: int) -> Telling:
    """What somebody is woken for."""
    comm = str(scene.event["comm"])
    thread = _IRQ_THREAD.fullmatch(comm)
    if thread and scene.level == HARD and scene.place.irq == int(thread[1]):
        yield "rule.wake_irq_thread", {"irq": int(thread[1])}
    elif comm.startswith(KSOFTIRQD):
        scene.place.ksoftirqd_up = True
        yield from why_ksoftirqd(scene, nr_passes)
    elif comm.startswith(KTIMERS):
        yield "rule.wake_ktimers", {}
    elif comm.startswith("kworker/"):
        yield "rule.wake_worker", {}


def _switch(scene: Scene, tasks: Tasks, nr_passes: int) -> Telling:
    yield "sched_switch", {}
    yield from _why(scene)
    prev, following = str(scene.event["prev_comm"]), str(scene.event["next_comm"])
    state = scene.number("prev_state")
    if state & ~TASK_PREEMPTED:
        yield from _gone(scene, tasks, prev)
    thread = _IRQ_THREAD.fullmatch(following)
    if thread:
        is_forced = tasks.is_forced(int(thread[1]), thread[3]) and not thread[2]
        yield ("rule.forced_thread_runs" if is_forced else "rule.thread_runs"), {}
    elif following.startswith(KSOFTIRQD):
        scene.place.ksoftirqd_up = True
        yield "rule.ksoftirqd_runs", {}
    elif not scene.event["next_pid"]:
        yield "rule.to_idle", {}


def _why(scene: Scene) -> Telling:
    """Why the task that ran does not run any more."""
    state = scene.number("prev_state")
    preempt = scene.ground.preempt
    if not scene.event["prev_pid"]:
        yield "rule.idle_resched", {}
    elif state & TASK_PREEMPTED:
        if preempt is None:
            yield "rule.preempted_or_yields", {}
        else:
            is_full = preempt in ("full", "rt")
            yield ("rule.preempted" if is_full else "rule.cond_resched"), {}
    elif state == TASK_RUNNING:
        yield "rule.user_return", {}
    elif state & (TASK_DEAD | TASK_ZOMBIE):
        yield "rule.exits", {"state": _letters(state)}
    else:
        yield "rule.sleeps", {"state": _letters(state)}


def _gone(scene: Scene, tasks: Tasks, prev: str) -> Telling:
    """What it means that this one sleeps."""
    thread = _IRQ_THREAD.fullmatch(prev)
    if thread and tasks.is_oneshot(int(thread[1])) and not thread[2]:
        yield "rule.thread_unmasks", {"irq": int(thread[1])}
    elif prev.startswith(KSOFTIRQD):
        scene.place.ksoftirqd_up = False
        yield "rule.ksoftirqd_sleeps", {}


def _letters(state: int) -> str:
    found = [letter for bit, letter in enumerate(STATES) if state >> bit & 1]
    return "|".join(found) or "?"


SCHED_TELLERS: Final[dict[Tracepoint, Callable[[Scene, Tasks, int], Telling]]] = {
    SCHED_WAKING: _waking,
    SCHED_WAKEUP: _wakeup,
    SCHED_SWITCH: _switch,
}
