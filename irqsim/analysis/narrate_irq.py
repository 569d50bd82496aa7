"""Hard interrupts told: how one was taken, whose it was, what follows at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.analysis.explain import Span, Trail
from irqsim.analysis.names import IPI_NAME, TICK_NAME
from irqsim.analysis.narrate_scene import (
    HARD,
    SOFT,
    TASK,
    Ground,
    Interrupted,
    Line,
    Place,
    Scene,
    Telling,
    Values,
)
from irqsim.analysis.timeline import vector_name
from irqsim.events import (
    BH_OFF,
    IPI_ENTRY,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    NMI,
    PREEMPT_MASK,
    SOFTIRQ,
    Tracepoint,
)

NR_SGIS: Final = 16
NR_PRIVATE: Final = 32
"""INTIDs of SGIs and PPIs, and those before the first SPI."""
LIMIT_UNHANDLED_NS: Final = 100_000_000
"""An unhandled interrupt that comes later than this after the last begins to count anew."""
NOW_VECTORS: Final = (0, 6)
"""HI and TASKLET: what does not wait for a ksoftirqd that is runnable."""


class Waits:
    """What is known of lines, beyond one CPU."""

    def __init__(self, ground: Ground, trail: Trail) -> None:
        self._ground = ground
        self._trail = trail
        self._next = {name: next(times, None) for name, times in ground.arrivals.items()}
        self.names: dict[int, list[str]] = {}
        """By line: the actions that the log has shown."""
        self.unhandled: dict[int, tuple[int, int]] = {}
        """By line: how many interrupts in a row nobody has handled, and when the last was."""
        self.exit_ns: dict[int, int] = {}
        """By line: when its handlers last returned."""
        self.sees_raises = ground.sees_raises

    def actions(self, irq: int) -> list[str]:
        """The line's actions, as far as known."""
        line = self._ground.lines.get(irq)
        return list(line.names) if line is not None else self.names.setdefault(irq, [])

    def tell(self, scene: Scene, irq: int, name: str) -> Telling:
        """Since when the interrupt has been wanted, and what kept it."""
        arrived_ns = self._arrived(name, scene.time_ns)
        if arrived_ns is None:
            return
        delay_ns = scene.time_ns - arrived_ns
        arrived = f"{arrived_ns // 1_000_000_000}.{arrived_ns // 1000 % 1_000_000:06d}"
        yield "arrived", {"arrived": arrived, "delay_us": _us(delay_ns), "name": name}
        entry_ns = max(arrived_ns, scene.time_ns - self._ground.entry_ns)
        if entry_ns <= arrived_ns:
            return
        yield from self._reason(scene, irq, arrived_ns, entry_ns)

    def _reason(self, scene: Scene, irq: int, arrived_ns: int, entry_ns: int) -> Telling:
        line = self._ground.lines.get(irq)
        if line is not None and line.is_oneshot and arrived_ns < self.unmasked_ns(scene, irq):
            yield "rule.waited_oneshot", {}
            return
        spans = self._trail.between(scene.context.cpu, arrived_ns, entry_ns)
        others = [span for span in spans if span.what == "hardirq"]
        other_ns = sum(span.end_ns - span.start_ns for span in others)
        if other_ns * 2 >= entry_ns - arrived_ns:
            other = max(others, key=_length)
            yield "rule.waited_irq", {"other": other.who, "other_us": _us(other_ns)}
        elif self._ground.disables:
            yield "rule.waited_disabled", {}
        elif spans:
            yield "rule.waited_masked", {"who": max(spans, key=_length).who}

    def unmasked_ns(self, scene: Scene, irq: int) -> int:
        """Up to when a one-shot line was masked, as far as its last handlers tell."""
        if scene.context.comm.startswith(f"irq/{irq}-"):
            return scene.time_ns
        return self.exit_ns.get(irq, 0)

    def _arrived(self, name: str, time_ns: int) -> int | None:
        """When the device first wanted what it gets now."""
        first_ns = self._next.get(name)
        if first_ns is None or first_ns > time_ns:
            return None
        times = self._ground.arrivals[name]
        following: int | None = first_ns
        while following is not None and following <= time_ns:
            following = next(times, None)
        self._next[name] = following
        return first_ns

    def count(self, irq: int, time_ns: int, is_handled: bool) -> int:
        """Count an interrupt for the search for unhandled ones; how many in a row."""
        if is_handled:
            self.unhandled.pop(irq, None)
            return 0
        nr, last_ns = self.unhandled.get(irq, (0, time_ns))
        nr = nr + 1 if time_ns - last_ns <= LIMIT_UNHANDLED_NS else 1
        self.unhandled[irq] = nr, time_ns
        return nr


def _length(span: Span) -> int:
    return span.end_ns - span.start_ns


def _us(ns: int) -> str:
    return f"{ns // 1000}.{ns % 1000:03d}" if ns % 1000 else str(ns // 1000)


# -- the entry -----------------------------------------------------------------------------


def _entry(scene: Scene, waits: Waits) -> Telling:
    irq, name = scene.number("irq"), str(scene.event["name"])
    place = scene.place
    line = scene.ground.lines.get(irq)
    known = waits.names.setdefault(irq, [])
    if name not in known:
        known.append(name)
    if scene.level != HARD:
        # No exception: somebody calls the handlers as if the line had fired.
        place.irq, place.called, place.nr_handled = irq, [name], 0
        place.handlers = [(irq, name)]
        yield ("rule.resent" if place.vec in NOW_VECTORS else "rule.polled"), {}
        yield from _handler(scene, line, name)
        return
    is_next = place.level == HARD and place.irq == irq and name not in place.called
    if is_next and not place.handlers and (line is None or len(line.names) > 1):
        yield "rule.shared", {}
    else:
        yield from _exception(scene, waits, irq, line)
        yield from waits.tell(scene, irq, name)
    place.called.append(name)
    place.handlers.append((irq, name))
    yield from _handler(scene, line, name)


def _exception(scene: Scene, waits: Waits, irq: int, line: Line | None) -> Telling:
    """A new exception, up to where the line is known."""
    place, context = scene.place, scene.context
    if context.flags & NMI:
        # On top of whatever there is: that goes on when it is over.
        place.exceptions.append(Interrupted(HARD, 0, False))
        yield from _processor(scene, place.level != TASK)
        yield "rule.nmi", {}
        yield from _line(scene, line, irq)
        return
    is_soft = bool(context.flags & SOFTIRQ) or place.vec is not None
    level = SOFT if is_soft else TASK
    goes_on = place.level == HARD and bool(place.exceptions)
    is_same = goes_on and scene.ground.logs_exceptions and place.from_user is None
    again = is_same or (goes_on and scene.ground.loops and not scene.ground.logs_exceptions)
    if again:
        yield ("rule.same_exception" if is_same else "rule.gic_loop"), {}
    elif place.leave(level):
        yield "return", {}
    depth = context.preempt_count & PREEMPT_MASK
    has_bh_off = bool(context.flags & BH_OFF)
    if not again:
        place.exceptions.append(Interrupted(level, depth, has_bh_off))
        yield from _processor(scene, is_soft)
        yield "irq_enter", {}
    place.irq, place.called, place.nr_handled = irq, [], 0
    place.handlers.clear()
    yield from _line(scene, line, irq)
    if is_soft:
        if place.vec is None:
            yield "rule.between_softirqs", {}
        else:
            yield "rule.in_softirq", {"vector": vector_name(place.vec)}
    elif has_bh_off:
        yield "rule.bh_off", {}
    if line is not None and line.is_oneshot:
        yield "rule.oneshot", {"flow": line.flow}


def _processor(scene: Scene, is_soft: bool) -> Telling:
    arch = scene.ground.arch
    if arch is None:
        yield "entry.unknown", {}
        return
    told, scene.place.from_user = scene.place.from_user, None
    is_kernel = is_soft or scene.is_kernel() or told is False
    is_user = not is_kernel and told is True
    kind = 0 if is_kernel else 1 if is_user else 2
    if arch == "arm":
        yield ("entry.arm.svc", "entry.arm.usr", "entry.arm.either")[kind], {}
    else:
        yield ("entry.arm64.el1", "entry.arm64.el0", "entry.arm64.either")[kind], {}


def _line(scene: Scene, line: Line | None, irq: int) -> Telling:
    name = str(scene.event["name"])
    if line is None:
        yield ("line.percpu" if name in (IPI_NAME, TICK_NAME) else "line.unknown"), {}
    elif line.chip:
        yield "line.chip", {"hwirq": line.hwirq, "flow": line.flow, "chip": line.chip}
    elif line.hwirq < NR_SGIS:
        yield "line.sgi", {"hwirq": line.hwirq, "flow": line.flow}
    elif line.hwirq < NR_PRIVATE:
        yield "line.ppi", {"hwirq": line.hwirq, "flow": line.flow}
    else:
        trigger = "level" if line.is_level else "edge"
        number = line.hwirq - NR_PRIVATE
        yield "line.spi", {
            "hwirq": line.hwirq, "flow": line.flow, "trigger": trigger, "number": number
        }  # fmt: skip


def _handler(scene: Scene, line: Line | None, name: str) -> Telling:
    caller = _caller(line, name)
    if name == IPI_NAME:
        yield "handler.ipi", {}
    elif name == TICK_NAME:
        yield "handler.timer", {}
    elif line is not None and name in line.forced:
        yield "rule.forced", {}
    elif line is not None and name in line.unhandled:
        yield "handler.default", {}
    else:
        yield "irq_handler_entry", caller


def _caller(line: Line | None, name: str) -> Values:
    """Who calls the handler."""
    if line is not None and line.flow.endswith("_nmi"):
        return {"caller": line.flow, "caller_file": "kernel/irq/chip.c"}
    if line.is_percpu if line is not None else name in (IPI_NAME, TICK_NAME):
        return {"caller": "handle_percpu_devid_irq", "caller_file": "kernel/irq/chip.c"}
    return {"caller": "__handle_irq_event_percpu", "caller_file": "kernel/irq/handle.c"}


# -- the exit ------------------------------------------------------------------------------


def _exit(scene: Scene, waits: Waits) -> Telling:
    irq, place = scene.number("irq"), scene.place
    name = place.handlers.pop()[1] if place.handlers else f"irq {irq}"
    is_handled = scene.number("ret") != 0
    place.nr_handled += is_handled
    waits.exit_ns[irq] = scene.time_ns
    line = scene.ground.lines.get(irq)
    values = {"name": name, **_caller(line, name)}
    if line is not None and name in (*line.unhandled, *line.forced) and is_handled:
        yield "handler.default_done", values
        if scene.context.comm.startswith(f"irq/{irq}-"):
            yield "rule.thread_awake", {}
    elif name in (IPI_NAME, TICK_NAME) and is_handled:
        yield ("handler.ipi_done" if name == IPI_NAME else "handler.timer_done"), values
    else:
        yield ("irq_handler_exit" if is_handled else "rule.unhandled"), values
    actions = waits.actions(irq)
    if actions and name in actions and name != actions[-1]:
        # More handlers of the line follow.
        return
    if scene.context.flags & NMI:
        place.leave(HARD)
        return
    if scene.level != HARD:
        return
    nr = waits.count(irq, scene.time_ns, bool(place.nr_handled))
    if nr:
        yield "rule.unhandled_count", {"nr": nr}
    yield "rule.eoi", {}
    yield from _pending(scene, waits)


def _pending(scene: Scene, waits: Waits) -> Telling:
    """What becomes of the softirqs that are pending when the interrupt ends."""
    place, ground = scene.place, scene.ground
    vectors: Values = {"vectors": place.vectors()}
    below = place.exceptions[-1] if place.exceptions else None
    if not place.pending:
        if waits.sees_raises:
            yield "rule.exit_nothing", {}
    elif below is None:
        return
    elif below.level == SOFT:
        yield "rule.exit_in_softirq", vectors
    elif below.has_bh_off:
        yield "rule.exit_bh_off", vectors
    elif ground.is_rt or ground.threadirqs:
        yield "rule.exit_threads", vectors
    elif ground.defers and place.ksoftirqd_up and not _runs_now(place):
        yield "rule.exit_deferred", vectors
    else:
        yield "rule.exit_pending", vectors


def _runs_now(place: Place) -> bool:
    return any(vec in place.pending for vec in NOW_VECTORS)


def _ipi_entry(scene: Scene, waits: Waits) -> Telling:
    yield "ipi_entry", {}
    reason = str(scene.event["reason"])
    if reason.startswith("Rescheduling"):
        yield "rule.ipi_reschedule", {}
    elif reason.startswith("Function call"):
        yield "rule.ipi_call", {}


IRQ_TELLERS: Final[dict[Tracepoint, Callable[[Scene, Waits], Telling]]] = {
    IRQ_HANDLER_ENTRY: _entry,
    IRQ_HANDLER_EXIT: _exit,
    IPI_ENTRY: _ipi_entry,
}
