"""Why a real kernel can print a log into which a fault was put: one rule for each reason.

A rule looks at the log as it was and as it is, and names the reason or nothing.  It proves what
it says from the records; where it does not look far enough, it keeps silent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from irqsim.analysis.names import IPI_NAME, TICK_NAME
from irqsim.analysis.rules_nest import TASK, level_of
from irqsim.events import (
    HARDIRQ,
    HRTIMER_CANCEL,
    HRTIMER_EXPIRE_ENTRY,
    HRTIMER_START,
    IPI_ENTRY,
    IPI_RAISE,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    IRQS_OFF,
    NAPI_POLL,
    NEED_RESCHED,
    NETIF_RECEIVE_SKB,
    NETIF_RX,
    PREEMPT_RESCHED,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKING,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    SOFTIRQ_RAISE,
    TIMER_CANCEL,
    TIMER_EXPIRE_ENTRY,
    TIMER_START,
    WORKQUEUE_ACTIVATE_WORK,
    WORKQUEUE_QUEUE_WORK,
    Record,
)

if TYPE_CHECKING:
    from tests.corruptions import Corruption

Rule: TypeAlias = "Callable[[Corruption], str]"

_RESCHED: Final = NEED_RESCHED | PREEMPT_RESCHED


def why_legal(corruption: Corruption) -> str:
    """The first reason that holds."""
    for rule in RULES:
        reason = rule(corruption)
        if reason:
            return reason
    return ""


# -- looking around ----------------------------------------------------------------------


def changed(corruption: Corruption) -> tuple[Record, Record] | None:
    """The record that was replaced by another, and the other."""
    old, new, place = corruption.log.records, corruption.records, corruption.place
    if len(old) != len(new) or old[:place] != new[:place] or old[place + 1 :] != new[place + 1 :]:
        return None
    return old[place], new[place]


def dropped(corruption: Corruption) -> Record | None:
    """The record that is missing."""
    old, place = corruption.log.records, corruption.place
    return old[place] if len(corruption.records) == len(old) - 1 else None


def added(corruption: Corruption) -> Record | None:
    """The record that was put in."""
    new, place = corruption.records, corruption.place
    return new[place] if len(new) == len(corruption.log.records) + 1 else None


def before(records: Sequence[Record], place: int, cpu: int) -> list[Record]:
    """The records of a CPU before a place, the nearest first."""
    return [each for each in reversed(records[:place]) if each[1].cpu == cpu]


def after(records: Sequence[Record], place: int, cpu: int) -> list[Record]:
    """The records of a CPU behind a place."""
    return [each for each in records[place + 1 :] if each[1].cpu == cpu]


def is_pending(records: Sequence[Record], place: int, cpu: int, vec: object) -> bool:
    """Whether a vector was raised on a CPU before and has not run since."""
    for _, _, event in before(records, place, cpu):
        if event.tracepoint is SOFTIRQ_ENTRY and event.values[0] == vec:
            return False
        if event.tracepoint is SOFTIRQ_RAISE and event.values[0] == vec:
            return True
    return False


# -- reasons -----------------------------------------------------------------------------


def time_fits(corruption: Corruption) -> str:
    """A record that happened a little earlier or later, between the same neighbours."""
    pair = changed(corruption)
    if pair is None or pair[0][1:] != pair[1][1:]:
        return ""
    new, place = corruption.records, corruption.place
    earlier = new[place - 1][0] if place else 0
    later = new[place + 1][0] if place + 1 < len(new) else pair[1][0]
    return "the time is between those of its neighbours" if earlier <= pair[1][0] <= later else ""


def handler_may_say_so(corruption: Corruption) -> str:
    """A driver's handler returns what it likes."""
    pair = changed(corruption)
    if pair is None or pair[0][2].tracepoint is not IRQ_HANDLER_EXIT:
        return ""
    (_, context, old), (_, _, new) = pair
    if old.values[0] != new.values[0]:
        return ""
    for _, _, event in before(corruption.records, corruption.place, context.cpu):
        if event.tracepoint is IRQ_HANDLER_ENTRY and event.values[0] == old.values[0]:
            if event.values[1] in (TICK_NAME, IPI_NAME):
                return _timer_was_not_due(corruption, new.values[1])
            return "a driver's handler may return IRQ_NONE, and IRQ_HANDLED"
    return "a handler that began before the log may return either"


def _timer_was_not_due(corruption: Corruption, ret: object) -> str:
    records, place = corruption.records, corruption.place
    _, context, _ = records[place]
    last = before(records, place, context.cpu)[0][2]
    if last.tracepoint is not IRQ_HANDLER_ENTRY or last.values[1] != TICK_NAME or ret:
        return ""
    return "the timer's handler did nothing, as where it was not due"


def raise_was_pending(corruption: Corruption) -> str:
    """A raise more or less of a vector that was pending already."""
    record = dropped(corruption) or added(corruption)
    if record is None or record[2].tracepoint is not SOFTIRQ_RAISE:
        return ""
    old, cpu, vec = corruption.log.records, record[1].cpu, record[2].values[0]
    if is_pending(old, corruption.place, cpu, vec):
        return "the vector was pending already: a raise more or less changes nothing"
    return ""


def first_of_its_cpu(corruption: Corruption) -> str:
    """A CPU's buffer may begin one record later, or end one earlier."""
    record = dropped(corruption)
    if record is None:
        return ""
    old, place, cpu = corruption.log.records, corruption.place, record[1].cpu
    if not before(old, place, cpu):
        return "the CPU's buffer may begin a record later"
    return "" if after(old, place, cpu) else "the CPU's buffer may end a record earlier"


def not_all_enabled_yet(corruption: Corruption) -> str:
    """Tracepoints are enabled one after the other: the first exit may come late."""
    record = added(corruption)
    if record is None or not record[2].tracepoint.name.endswith("entry"):
        return ""
    exit_name = record[2].tracepoint.name.removesuffix("entry") + "exit"
    seen = any(each[2].tracepoint.name == exit_name for each in corruption.log.records[
        : corruption.place])
    return "" if seen else f"no {exit_name} before: it may have been enabled later"


def began_before_the_log(corruption: Corruption) -> str:
    """An exit whose entry may stand before the log."""
    record = added(corruption)
    if record is None or record[2].tracepoint.name.rpartition("_")[2] not in ("exit", "end"):
        return ""
    old, place, (_, context, event) = corruption.log.records, corruption.place, record
    if event.tracepoint.system == "workqueue":
        own = [each for each in old[:place] if each[1].pid == context.pid]
        kinds = [each for each in own if each[2].tracepoint.system == "workqueue"
                 and "execute" in each[2].tracepoint.name]
        return "" if kinds else "the worker may have begun before the log did"
    level = level_of(context)
    for _, other, _ in before(old, place, context.cpu):
        if level_of(other) < level:
            return ""
    return "it may have begun before the log did: nothing of a lower level stands before it"


def raised_before_the_log(corruption: Corruption) -> str:
    """An IPI, or a vector, that was raised before the log began."""
    pair = changed(corruption)
    record = dropped(corruption) if pair is None else pair[0]
    if record is None or (pair is not None and pair[0][2].tracepoint is not SOFTIRQ_RAISE):
        return ""
    old, place, (_, context, event) = corruption.log.records, corruption.place, record
    if event.tracepoint is IPI_RAISE:
        reason = event.values[1]
        mask = event.values[0]
        cpus = [cpu for cpu in range(64) if isinstance(mask, int) and mask >> cpu & 1]
        for cpu in cpus:
            for _, _, other in before(old, place, cpu):
                if other.tracepoint is IPI_ENTRY and other.values[0] == reason:
                    return ""
        return "the first such IPI there: it may have been raised before the log began"
    if event.tracepoint is SOFTIRQ_RAISE:
        for _, _, other in before(old, place, context.cpu):
            if other.tracepoint is SOFTIRQ_EXIT:
                return ""
            if other.tracepoint is SCHED_SWITCH and other["next_pid"] == 0:
                return ""
        return "no softirq of the CPU before: the vector may have been raised before the log began"
    return ""


def law_is_not_awake(corruption: Corruption) -> str:
    """A law that waits for a tracepoint, which may have been enabled later than others."""
    from tests.corruptions import all_broken

    log = corruption.log
    usual = all_broken(log.records, log.setting, is_eager=True)
    for law in all_broken(corruption.records, log.setting, is_eager=True):
        if law not in usual:
            return f"{law} still waits for tracepoints: they may be enabled one after the other"
    return ""


def first_mention(corruption: Corruption) -> str:
    """The first record of a timer, a work or a task: it may have happened before the log."""
    record = dropped(corruption)
    if record is None or record[2].tracepoint not in FIRST:
        return ""
    position = record[2].tracepoint.index_of["pid"] if record[2].tracepoint is SCHED_WAKING else 0
    name = record[2].values[position]
    for _, context, event in corruption.log.records[: corruption.place]:
        if name in event.values or name == context.pid:
            return ""
    return "the first of it in the log: it may have happened before"


def ends_in_irq_exit(corruption: Corruption) -> str:
    """What irq_exit() does as well as a handler, and other architectures without one."""
    old, new, place = corruption.log.records, corruption.records, corruption.place
    if len(old) != len(new) or changed(corruption) is not None:
        return ""
    other = next(at for at in range(place + 1, len(old)) if old[at][1:] == new[place][1:])
    first, second = old[place], old[other]
    if second[2].tracepoint is not IRQ_HANDLER_EXIT:
        return ""
    if first[2].tracepoint is HRTIMER_START:
        return "irq_exit() may start the tick's timer as well"
    names = [each[2].values[1] for each in old if each[2].tracepoint is IRQ_HANDLER_ENTRY]
    if first[2].tracepoint is SOFTIRQ_RAISE and TICK_NAME not in names and IPI_NAME not in names:
        return "the architecture has interrupts without handlers, which may raise"
    return ""


def two_ticks(corruption: Corruption) -> str:
    """Raises of two ticks that one interrupt makes up for."""
    old, new, place = corruption.log.records, corruption.records, corruption.place
    if len(old) != len(new) or changed(corruption) is not None:
        return ""
    if any(each[2].tracepoint is HRTIMER_EXPIRE_ENTRY for each in old):
        return ""
    kinds = {old[place][2].tracepoint, new[place][2].tracepoint}
    return "two ticks in one interrupt may raise in any order" if kinds == {SOFTIRQ_RAISE} else ""


def polls_again(corruption: Corruption) -> str:
    """A poll more: a driver may schedule its NAPI while it is polled."""
    record = added(corruption) or dropped(corruption)
    if record is None or record[2].tracepoint is not NAPI_POLL:
        return ""
    return "a NAPI may be polled once more, or once less"


def raised_by_any_cpu(corruption: Corruption) -> str:
    """An IPI that another CPU raises, for a wake-up that is not traced."""
    pair = changed(corruption)
    if pair is None or pair[0][2].tracepoint is not IPI_RAISE or pair[0][2] != pair[1][2]:
        return ""
    if any(each[2].tracepoint is SCHED_WAKING for each in corruption.log.records):
        return ""
    return "any CPU may raise an IPI, where wakings are not traced"


def is_unfinished(corruption: Corruption) -> str:
    """The wake-up of a task that does nothing afterwards, or whose wakings are not traced."""
    record = dropped(corruption)
    if record is None or record[2].tracepoint not in (SCHED_WAKEUP, SCHED_WAKING):
        return ""
    pid = record[2]["pid"]
    old, place = corruption.log.records, corruption.place
    for _, context, event in old[place + 1 :]:
        if context.pid == pid:
            return ""
        if event.tracepoint in (SCHED_WAKEUP, SCHED_WAKING) and event["pid"] == pid:
            return ""
        if event.tracepoint is SCHED_SWITCH and event["next_pid"] == pid:
            return ""
    return "the task is not heard of any more: it may still be on its way"


def resched_of_a_task(corruption: Corruption) -> str:
    """need_resched of a task, between records where it may be set and cleared unseen."""
    pair = changed(corruption)
    if pair is None:
        return ""
    (_, old, event), (_, new, _) = pair
    if (old.flags ^ new.flags) & ~_RESCHED or not (old.flags ^ new.flags) & _RESCHED:
        return ""
    cpu, records, place = old.cpu, corruption.log.records, corruption.place
    if event.tracepoint is SCHED_SWITCH:
        return ""
    neighbours = before(records, place, cpu)[:1], after(records, place, cpu)[:1]
    following = neighbours[1][0][1] if neighbours[1] else None
    if old.pid and level_of(old) == TASK:
        return "a task may be told to give way at any time, and be chosen again without a switch"
    if event.tracepoint is IRQ_HANDLER_EXIT and old.pid:
        return "the tick, or another CPU, may tell a task to give way at any time"
    if not old.flags & IRQS_OFF and neighbours[0] and neighbours[0][0][1].flags & HARDIRQ:
        return "the flags are read before an interrupt, and the record is written after it"
    if old.pid == 0 and (following is None or level_of(following) <= level_of(old)):
        return "another CPU may tell an idle one to look at its run queue"
    if not neighbours[0]:
        return "nothing of the CPU stands before it"
    return ""


def depth_of_local_bh_enable(corruption: Corruption) -> str:
    """Softirqs of a task run at its local_bh_enable(), with a preempt depth of 1."""
    pair = changed(corruption)
    if pair is None:
        return ""
    (_, old, event), (_, new, _) = pair
    if old.flags != new.flags or old.preempt_count == new.preempt_count or not old.pid:
        return ""
    if event.tracepoint is SCHED_SWITCH or new.preempt_count & 15 > 1:
        return ""
    return "a task in local_bh_enable() has a depth of 1, any other none"


def field_is_free(corruption: Corruption) -> str:
    """A field of which the kernel promises nothing more than the log keeps."""
    pair = changed(corruption)
    if pair is None or pair[0][1] != pair[1][1]:
        return ""
    (_, _, old), (_, _, new) = pair
    names = [
        field.name
        for field, was, now in zip(old.tracepoint.fields, old.values, new.values, strict=True)
        if was != now
    ]
    free = FREE.get((old.tracepoint.name, *names))
    return free or ""


FIRST: Final = (
    WORKQUEUE_QUEUE_WORK, WORKQUEUE_ACTIVATE_WORK, TIMER_START, TIMER_CANCEL, HRTIMER_START,
    HRTIMER_CANCEL, SCHED_WAKING,
)  # fmt: skip
FREE: Final[dict[tuple[str, ...], str]] = {
    (NAPI_POLL.name, "work"): "a poll does as much as there is, up to its budget",
    (WORKQUEUE_QUEUE_WORK.name, "req_cpu"): "work may be queued for any CPU",
    (HRTIMER_EXPIRE_ENTRY.name, "now"): "the clock does not go back, and the timer is not early",
    (TIMER_EXPIRE_ENTRY.name, "baseclk"): "a wheel may be behind by any number of jiffies",
    (HRTIMER_START.name, "mode"): "an hrtimer may be started in any mode",
    (SCHED_WAKEUP.name, "target_cpu"): "a task may be queued on another CPU, and be moved unseen",
    (SCHED_WAKING.name, "target_cpu"): "a task may have run on any CPU before",
}


def traffic_is_free(corruption: Corruption) -> str:
    """Packets go up during a poll or after it."""
    old, new, place = corruption.log.records, corruption.records, corruption.place
    if len(old) != len(new) or changed(corruption) is not None:
        return ""
    kinds = {old[place][2].tracepoint, new[place][2].tracepoint}
    packets = {NETIF_RECEIVE_SKB, NETIF_RX}
    if kinds <= {*packets, NAPI_POLL} and kinds & packets:
        return "packets are handed up during a poll, and after it"
    return ""


RULES: Final[tuple[Rule, ...]] = (
    time_fits, handler_may_say_so, raise_was_pending, first_of_its_cpu, not_all_enabled_yet,
    began_before_the_log, raised_before_the_log, is_unfinished, resched_of_a_task,
    depth_of_local_bh_enable, field_is_free, traffic_is_free, raised_by_any_cpu,
    first_mention, ends_in_irq_exit, two_ticks, polls_again, law_is_not_awake,
)  # fmt: skip
