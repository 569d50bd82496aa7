"""The kernel's side of a tracepoint: who runs, in which context, and what happened.

A record is (time, context, event); contexts and most events are interned, so that a line
costs two dictionary look-ups and one tuple.  No text is made here.

Source: kernel/trace/trace.c: tracing_gen_ctx_irq_test().
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from irqsim.events import (
    BH_OFF,
    HARDIRQ,
    IRQS_OFF,
    MIGRATE_SHIFT,
    NEED_RESCHED,
    NEED_RESCHED_LAZY,
    NMI,
    PREEMPT_LAZY_SHIFT,
    PREEMPT_RESCHED,
    SOFTIRQ,
    UNKNOWN_TGID,
    Context,
    Event,
    Tracepoint,
)
from irqsim.kernel.call_stack import CallStack
from irqsim.kernel.preempt import (
    HARDIRQ_MASK,
    NMI_MASK,
    PREEMPT_MASK,
    SOFTIRQ_MASK,
    SOFTIRQ_OFFSET,
)
from irqsim.kernel.state import Cpu, Kernel

BATCH: Final = 4096
"""Records handed on at a time."""

# What the key of a context in Task.contexts is made of, above preempt_count.
_IRQS_DISABLED: Final = 1 << 24
_TIF_NEED_RESCHED: Final = 1 << 25
_PREEMPT_NEED_RESCHED: Final = 1 << 26
_TIF_NEED_RESCHED_LAZY: Final = 1 << 27
_MIGRATION_SHIFT: Final = 28


def trace(k: Kernel, cpu: Cpu, event: Event, depth: int = 0) -> None:
    """Record `event` as happening now on `cpu`, if its tracepoint is enabled.

    `depth` is what the locks held at this point of the real code add to the preemption depth;
    only a kernel that counts it (CONFIG_PREEMPT_COUNT) shows it.
    """
    if not k.trace_enabled[event.tracepoint.id]:
        return
    count = cpu.preempt_count
    if depth and k.preempt_count_built:
        count += depth
    key = count
    if cpu.irqs_disabled:
        key += _IRQS_DISABLED
    if cpu.tif_need_resched:
        key += _TIF_NEED_RESCHED
        # Never without the thread's flag.
        if cpu.preempt_need_resched:
            key += _PREEMPT_NEED_RESCHED
    if k.preempt_rt:
        key += _rt_key(cpu)
    try:
        context = cpu.current.contexts[cpu.number][key]
    except KeyError:
        context = _context(k, cpu, count)
        cpu.current.contexts.setdefault(cpu.number, {})[key] = context
    if k.call_stack is None:
        k.trace_records.append((k.now_ns + k.trace_clock_ns, context, event))
    else:
        k.call_stack.trace(cpu, event, context)


def follow_calls(k: Kernel, follows_events: bool) -> None:
    """Follow what calls what from now on; a stack trace behind each event, or when asked for."""
    k.call_stack = CallStack(k)
    k.call_stack.follows_events = follows_events
    set_tracing_on(k, k.tracing_on)


def set_events(k: Kernel, tracepoints: Iterable[Tracepoint], is_on: bool) -> None:
    """Switch events on or off.  Source: kernel/trace/trace_events.c: __ftrace_event_enable."""
    for tracepoint in tracepoints:
        k.trace_events[tracepoint.id] = is_on


def set_tracing_on(k: Kernel, is_on: bool) -> None:
    """Let the ring buffer take records, or not.

    Source: kernel/trace/trace.c: tracer_tracing_on, tracer_tracing_off.
    """
    k.tracing_on = is_on
    if k.call_stack is not None:
        # It wants to hear of all that happens, and looks itself what is to be recorded.
        k.trace_enabled = [True] * len(k.trace_events)
    else:
        k.trace_enabled = k.trace_events if is_on else [False] * len(k.trace_events)


def record(k: Kernel, context: Context, event: Event) -> None:
    """Record what no CPU of the machine's is the author of; tracing must be on."""
    assert k.tracing_on
    k.trace_records.append((k.now_ns + k.trace_clock_ns, context, event))


def _rt_key(cpu: Cpu) -> int:
    """What else PREEMPT_RT makes a context of."""
    key = cpu.current.migration_disabled << _MIGRATION_SHIFT
    return key + _TIF_NEED_RESCHED_LAZY if cpu.tif_need_resched_lazy else key


def _context(k: Kernel, cpu: Cpu, preempt_count: int) -> Context:
    flags = 0
    if cpu.irqs_disabled:
        flags |= IRQS_OFF
    if cpu.tif_need_resched:
        flags |= NEED_RESCHED
    if cpu.preempt_need_resched:
        flags |= PREEMPT_RESCHED
    if preempt_count & NMI_MASK:
        flags |= NMI
    if preempt_count & HARDIRQ_MASK:
        flags |= HARDIRQ
    if preempt_count & SOFTIRQ_OFFSET:
        flags |= SOFTIRQ
    if (preempt_count & SOFTIRQ_MASK) > SOFTIRQ_OFFSET:
        flags |= BH_OFF
    task = cpu.current
    depths = min(preempt_count & PREEMPT_MASK, 15)
    if task.migration_disabled:
        depths |= min(task.migration_disabled, 15) << MIGRATE_SHIFT
        if k.preempt_lazy:
            # migrate_disable() takes it once, however deep it goes.
            flags |= 1 << PREEMPT_LAZY_SHIFT
    if cpu.tif_need_resched_lazy:
        flags |= NEED_RESCHED_LAZY
    comm, tgid = (task.comm, task.tgid) if task.pid else ("<idle>", UNKNOWN_TGID)
    return k.events.context(comm, task.pid, tgid, cpu.number, flags, depths)
