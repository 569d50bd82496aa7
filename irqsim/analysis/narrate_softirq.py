"""Softirqs, tasklets and NAPI told: who raised them, who runs them, and which limit ended it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.analysis.narrate_irq import NOW_VECTORS
from irqsim.analysis.narrate_scene import HARD, SOFT, TASK, Scene, Telling
from irqsim.analysis.passes import KSOFTIRQD
from irqsim.events import (
    BH_OFF,
    NAPI_POLL,
    NEED_RESCHED,
    PREEMPT_MASK,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    SOFTIRQ_RAISE,
    TASKLET_ENTRY,
    TASKLET_EXIT,
    Tracepoint,
)
from irqsim.units import SOFTIRQ_NAMES

NET_RX: Final = SOFTIRQ_NAMES.index("NET_RX")
KTIMERS: Final = "ktimers/"


def _raise(scene: Scene, nr_passes: int) -> Telling:
    vec, place = scene.number("vec"), scene.place
    yield "softirq_raise", {}
    if vec in place.pending:
        yield "rule.raised_again", {}
    place.pending[vec] = True
    if scene.level == HARD and not scene.context.flags & SOFTIRQ:
        yield "rule.raised_in_interrupt", {}
    elif scene.level != TASK:
        yield from _raised_in_softirq(scene, vec)
    elif not scene.ground.has_flags:
        return
    elif scene.context.flags & BH_OFF:
        yield "rule.raised_bh_off", {}
    elif not place.exceptions:
        yield "rule.raised_in_process", {}


def _raised_in_softirq(scene: Scene, vec: int) -> Telling:
    place = scene.place
    if scene.level == SOFT and vec == place.vec == NET_RX and place.napi_total:
        total, limit = place.napi_total, scene.ground.netdev_budget
        if total >= limit:
            yield "rule.napi_budget", {"total": total, "limit": limit}
        else:
            yield "rule.napi_again", {}
    elif scene.level == SOFT and vec == place.vec and vec in NOW_VECTORS and not place.in_tasklet:
        yield "rule.tasklet_requeued", {}
    else:
        yield "rule.raised_in_softirq", {}


def _entry(scene: Scene, nr_passes: int) -> Telling:
    vec, place = scene.number("vec"), scene.place
    if not place.pass_told:
        yield from _turn(scene)
        if place.ksoftirqd_up and scene.ground.defers and _is_inline(scene):
            yield "rule.not_deferred", {}
    elif nr_passes > place.pass_told:
        is_sure = _is_inline(scene) and nr_passes <= scene.ground.softirq_restart
        yield ("rule.next_pass" if is_sure and place.exceptions else "rule.more"), {}
    place.pass_told = max(nr_passes, 1)
    place.pending.pop(vec, None)
    place.vec = vec
    place.napi_total = 0
    yield "softirq_entry", {}


def _is_inline(scene: Scene) -> bool:
    """It is neither ksoftirqd nor ktimers that runs softirqs."""
    return not scene.context.comm.startswith((KSOFTIRQD, KTIMERS))


def _turn(scene: Scene) -> Telling:
    """Who calls."""
    comm = scene.context.comm
    if comm.startswith(KSOFTIRQD):
        yield "rule.turn_ksoftirqd", {}
    elif comm.startswith(KTIMERS):
        yield "rule.turn_ktimers", {}
    elif _is_exit(scene):
        yield "rule.turn_irq_exit", {}
    else:
        yield "rule.turn_bh_enable", {}


def _is_exit(scene: Scene) -> bool:
    if scene.ground.is_rt or not scene.place.exceptions:
        return False
    below = scene.place.exceptions[0]
    depth = scene.context.preempt_count & PREEMPT_MASK
    return not below.has_bh_off and depth == below.depth


def _exit(scene: Scene, nr_passes: int) -> Telling:
    yield "softirq_exit", {}
    scene.place.vec = None


def _tasklet_entry(scene: Scene, nr_passes: int) -> Telling:
    scene.place.in_tasklet = True
    yield "tasklet_entry", {}


def _tasklet_exit(scene: Scene, nr_passes: int) -> Telling:
    scene.place.in_tasklet = False
    yield "tasklet_exit", {}


def _napi(scene: Scene, nr_passes: int) -> Telling:
    work = scene.number("work")
    scene.place.napi_total += work
    yield "napi_poll", {}
    if work >= scene.number("budget"):
        yield "rule.napi_weight", {}
    else:
        yield "rule.napi_done", {}


def why_ksoftirqd(scene: Scene, nr_passes: int) -> Telling:
    """Why this CPU's ksoftirqd is woken now."""
    place, ground = scene.place, scene.ground
    if scene.level == SOFT and place.vec is None and place.pass_told:
        nr = nr_passes or place.pass_told
        is_told = False
        if nr >= ground.softirq_restart:
            is_told = True
            yield "rule.restart_limit", {}
        if scene.context.flags & place.flags & NEED_RESCHED:
            is_told = True
            yield "rule.need_resched", {"nr": nr}
        if not is_told:
            yield "rule.time_limit", {"nr": nr}
    elif scene.level != SOFT and place.exceptions and (ground.is_rt or ground.threadirqs):
        yield "rule.wake_ksoftirqd_exit", {}


SOFTIRQ_TELLERS: Final[dict[Tracepoint, Callable[[Scene, int], Telling]]] = {
    SOFTIRQ_RAISE: _raise,
    SOFTIRQ_ENTRY: _entry,
    SOFTIRQ_EXIT: _exit,
    TASKLET_ENTRY: _tasklet_entry,
    TASKLET_EXIT: _tasklet_exit,
    NAPI_POLL: _napi,
}
