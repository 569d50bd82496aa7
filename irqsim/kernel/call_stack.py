"""The call chain at a tracepoint: what `stacktrace` prints behind an event.

Theory of operation.  The engine's frames say which contexts lie on each other, and
preempt_count on entry to each says how far the one below had come: in the handlers, in
softirqs, on the way out.  What runs within a context is told by the events that open and close
it (handlers, softirqs, timers, works), whether they are recorded or not.  The functions'
names are data (call_chains.py).

Source: kernel/trace/trace.c: ftrace_trace_stack; kernel/trace/trace_events_trigger.c:
stacktrace_trigger.
Differs: walking the stack takes no time.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import KERNEL_STACK, TASK_DEAD, TASK_INTERRUPTIBLE, Context, Event
from irqsim.kernel.call_chains import (
    ACTIONS,
    APART,
    CALLED_BY_IPI,
    CHAINED,
    HRTIMER_RUN,
    NMI_FLOWS,
    PLACES,
    RAISED,
    RAISED_BY_HRTIMER,
    RAISED_BY_IPI,
    RAISED_BY_TICK,
    RAISED_ELSEWHERE,
    TASKLET_RUN,
    THREAD_BODIES,
    THREADS,
    TIMER_RUN,
    UPDATED_BY_TICK,
    WAKE,
    Chain,
    entry_chains,
)
from irqsim.kernel.preempt import HARDIRQ_MASK, SOFTIRQ_OFFSET
from irqsim.kernel.state import Cpu, Frame, Kernel, Task

UNLIMITED: Final = -1

# As in softirq.py, which builds on this.
HI_SOFTIRQ: Final = 0
NET_RX_SOFTIRQ: Final = 3
TASKLET_SOFTIRQ: Final = 6
SCHED_SOFTIRQ: Final = 7

# How far a context has come.
_HARD: Final = 0
_SOFT: Final = 1
_BODY: Final = 2

_TICKS: Final = ("tick_sched_timer", "tick_nohz_handler")
_PHYS_TIMERS: Final = (30, 1)
"""The physical timer's: a GIC's PPI, and the Raspberry Pi's CNTPNSIRQ."""


class Open:
    """Something that runs in a context, between the event that opened it and its end."""

    __slots__ = ("closing", "frame", "functions", "kind")

    frame: Frame
    kind: str
    """The name of the event that opened it."""
    closing: str
    functions: Chain

    def __init__(self, frame: Frame, kind: str, closing: str, functions: Chain) -> None:
        self.frame = frame
        self.kind = kind
        self.closing = closing
        self.functions = functions


class CallStack:
    """Follows what every CPU does, and adds the stack traces that are wanted."""

    def __init__(self, k: Kernel) -> None:
        self._k = k
        self._entry = entry_chains(k.arch, k.release.name, k.gic.name)
        self._open: dict[int, list[Open]] = {}
        """By task, idle tasks by the CPU: -1 - cpu."""
        self._flows: dict[int, tuple[Frame, Chain, Chain]] = {}
        """By CPU and depth: the line that was served last there, from its flow handler to
        the root, and what calls its handlers."""
        self.follows_events = False
        """The option stacktrace."""
        self.triggers: dict[int, int] = {}
        """By tracepoint, how often more; UNLIMITED."""

    def trace(self, cpu: Cpu, event: Event, context: Context) -> None:
        """Take note of an event, record it if it is enabled, and the stack if it is wanted."""
        k, name = self._k, event.tracepoint.name
        opened = self._opened(cpu)
        if opened and opened[-1].closing == name:
            opened.pop()
        if name == "irq_handler_entry":
            self._note_line(cpu, event)
        if k.tracing_on:
            now_ns = k.now_ns + k.trace_clock_ns
            if k.trace_events[event.tracepoint.id]:
                k.trace_records.append((now_ns, context, event))
                if self.follows_events:
                    chain = self._visible(self._head(cpu, event) + self._below(cpu, event))
                    k.trace_records.append((now_ns, context, self._stack(chain)))
            if self.triggers and self._fires(event):
                chain = self._head(cpu, event) + self._below(cpu, event)
                probe = "trace_event_raw_event_" + _event_class(name)
                chain = self._visible(("trace_event_buffer_commit", probe, *chain))
                k.trace_records.append((now_ns, context, self._stack(chain)))
        self._note_begin(cpu, event, opened)

    # -- what runs -----------------------------------------------------------------------

    def _opened(self, cpu: Cpu) -> list[Open]:
        """What is open in the current task, without what its contexts' end has closed."""
        task = cpu.current
        opened = self._open.setdefault(task.pid or -1 - cpu.number, [])
        while opened and not any(frame is opened[-1].frame for frame in cpu.frames):
            opened.pop()
        return opened

    def _note_begin(self, cpu: Cpu, event: Event, opened: list[Open]) -> None:
        name, frame = event.tracepoint.name, cpu.frame
        if name == "irq_handler_entry":
            handlers = self._handler(event)
            opened.append(Open(frame, name, "irq_handler_exit", handlers))
        elif name == "hrtimer_expire_entry":
            functions = (str(event["function"]), *HRTIMER_RUN)
            opened.append(Open(frame, name, "hrtimer_expire_exit", functions))
        elif name == "softirq_entry":
            opened.append(Open(frame, name, "softirq_exit", ACTIONS[int(str(event["vec"]))]))
        elif name == "timer_expire_entry":
            functions = (str(event["function"]), *TIMER_RUN)
            opened.append(Open(frame, name, "timer_expire_exit", functions))
        elif name == "tasklet_entry":
            functions = (str(event["func"]), *TASKLET_RUN)
            opened.append(Open(frame, name, "tasklet_exit", functions))
        elif name == "workqueue_execute_start":
            functions = (str(event["function"]), "process_one_work")
            opened.append(Open(frame, name, "workqueue_execute_end", functions))

    def _note_line(self, cpu: Cpu, event: Event) -> None:
        desc = self._k.irq_desc[int(str(event["irq"]))]
        flow = desc.handle_irq.__name__
        if self._k.release.name == "5.10" and event["name"] == "IPI":
            # Only there they have a flow of their own.
            flow = "handle_percpu_devid_fasteoi_ipi"
        calls = () if desc.percpu or flow in NMI_FLOWS else self._entry.handlers
        way = self._entry.domain
        chained = CHAINED.get(type(desc.chip).__name__)
        if chained is not None:
            way = (*self._entry.chained, *chained, *way)
        self._flows[cpu.number << 8 | len(cpu.frames)] = (cpu.frame, (flow, *way), calls)

    def _handler(self, event: Event) -> Chain:
        """The function of an action, which is called by its flow handler."""
        name = str(event["name"])
        if name == "IPI":
            return self._entry.ipi
        if name == "arch_timer":
            hwirq = self._k.irq_desc[int(str(event["irq"]))].hwirq
            kind = "phys" if hwirq in _PHYS_TIMERS else "virt"
            return ("hrtimer_interrupt", f"arch_timer_handler_{kind}")
        return (f"{_symbol(name)}_irq",)

    # -- the chain -----------------------------------------------------------------------

    def _head(self, cpu: Cpu, event: Event) -> Chain:
        """From the tracepoint down to what is open in the context."""
        name = event.tracepoint.name
        if name == "print":
            return ()
        is_apart = name in APART and self._entry.has_iterators
        own: Chain = (f"__traceiter_{name}",) if is_apart else ()
        opened = self._opened(cpu)
        kind = opened[-1].kind if opened and opened[-1].frame is cpu.frame else ""
        if name == "softirq_raise":
            chain = self._raise(cpu, int(str(event["vec"])), kind, opened)
            return tuple(each for each in chain if each not in self._entry.jumps)
        if name == "sched_switch":
            return self._schedule(cpu, event)
        if kind == "irq_handler_entry" and opened[-1].functions == self._entry.ipi:
            return self._in_ipi(name, own)
        if name in ("sched_waking", "sched_wakeup", "sched_migrate_task"):
            return PLACES[name][: -len(WAKE)] + WAKE + self._waker(cpu, event, kind)
        return own + self._place(name, kind, opened)

    def _place(self, name: str, kind: str, opened: list[Open]) -> Chain:
        """Where an event stands, given what it happens in."""
        if name == "sched_stat_runtime" and kind == "hrtimer_expire_entry":
            return UPDATED_BY_TICK
        if name == "hrtimer_start" and kind == "irq_handler_entry":
            if opened[-1].functions[0] == "hrtimer_interrupt":
                return ("enqueue_hrtimer", *HRTIMER_RUN)
        if name == "timer_cancel" and kind == "softirq_entry":
            return TIMER_RUN[1:]
        return PLACES.get(name, ())

    def _raise(self, cpu: Cpu, vec: int, kind: str, opened: list[Open]) -> Chain:
        if kind == "hrtimer_expire_entry" and opened[-1].functions[0] in _TICKS:
            chain = RAISED_BY_TICK.get(vec, RAISED_ELSEWHERE)
            if self._k.release.name == "6.12":
                renamed = {"trigger_load_balance": "sched_balance_trigger",
                           "scheduler_tick": "sched_tick"}  # fmt: skip
                # There it is all in one function.
                chain = tuple(renamed.get(each, each) for each in chain)
                return tuple(each for each in chain if each != "tick_sched_handle")
            return chain
        if kind == "irq_handler_entry":
            if opened[-1].functions == self._entry.ipi and vec == SCHED_SOFTIRQ:
                return RAISED_BY_IPI + CALLED_BY_IPI
            if opened[-1].functions[0] == "hrtimer_interrupt":
                return RAISED_BY_HRTIMER[:1]
        # What is queued is queued before its vector is raised.
        queues = {
            HI_SOFTIRQ: cpu.tasklet_hi_vec,
            NET_RX_SOFTIRQ: cpu.softnet.poll_list,
            TASKLET_SOFTIRQ: cpu.tasklet_vec,
        }
        return RAISED[vec] if queues.get(vec) else RAISED_ELSEWHERE

    def _in_ipi(self, name: str, own: Chain) -> Chain:
        """An event in an IPI's handler: its own, or one of what it calls."""
        if name in ("ipi_entry", "ipi_exit"):
            return ()
        if name in ("sched_waking", "sched_wakeup"):
            pending = ("ttwu_do_wakeup", "ttwu_do_activate", "sched_ttwu_pending")
            return pending + CALLED_BY_IPI
        return own + PLACES.get(name, ()) + CALLED_BY_IPI

    def _waker(self, cpu: Cpu, event: Event, kind: str) -> Chain:
        """What calls wake_up_process(), where the task that wakes tells it."""
        comm = str(event["comm"])
        if comm.startswith("irq/") and kind in ("", "softirq_entry"):
            return ("__irq_wake_thread",)
        if comm.startswith("kworker/"):
            return ("insert_work", "__queue_work", "queue_work_on")
        return ()

    def _schedule(self, cpu: Cpu, event: Event) -> Chain:
        task = cpu.current
        if len(cpu.frames) > 1:
            return ("__schedule",)
        if task is cpu.idle:
            return ("__schedule", "schedule_idle")
        if task.state == TASK_DEAD:
            return ("__schedule", "do_task_dead", "do_exit")
        if task.state:
            return ("__schedule", "schedule")
        if task.in_user:
            return ("__schedule", "schedule", *self._entry.exit_user)
        if self._k.preemption:
            return ("__schedule", "preempt_schedule")
        return ("__schedule", "__cond_resched")

    def _below(self, cpu: Cpu, event: Event) -> Chain:
        """From the context of an event down to the bottom of the task's stack."""
        chain: list[str] = []
        frames, opened = cpu.frames, self._opened(cpu)
        count, name = cpu.preempt_count, event.tracepoint.name
        for index in range(len(frames) - 1, -1, -1):
            frame = frames[index]
            is_top = index == len(frames) - 1
            phase = _phase(frame, count)
            own = [each.functions for each in reversed(opened) if each.frame is frame]
            for functions in own:
                chain += functions
            chain += self._served(cpu, index, phase)
            if index:
                chain += self._vector(cpu, index, phase, is_top and name == "sched_switch")
            else:
                chain += self._bottom(cpu, phase, is_top, name, bool(own))
            count = frame.preempt_count
        return tuple(chain)

    def _served(self, cpu: Cpu, index: int, phase: int) -> Chain:
        """The flow of the line that is served at a level."""
        if phase != _HARD:
            return ()
        flow = self._flows.get(cpu.number << 8 | index + 1)
        if flow is None or flow[0] is not cpu.frames[index]:
            return ()
        return (*flow[2], *flow[1])

    def _vector(self, cpu: Cpu, index: int, phase: int, is_switch: bool) -> Chain:
        """The way out of an interrupt's handlers, its softirqs or itself to its vector."""
        entry, task = self._entry, cpu.current
        vector = entry.user if index == 1 and task.in_user else entry.kernel
        is_on_stack = self._is_on_irq_stack(cpu, index)
        if phase == _HARD:
            change = () if is_on_stack else entry.from_stack
            if self._k.arch == "arm" and index == 1 and task.pid == 0 and cpu.number == 0:
                # Not seen there by its unwinder.
                change = ()
            return (*entry.root, *change, *entry.on_irq_stack, *vector)
        if phase == _SOFT:
            out = entry.irq_exit
            if self._k.arch == "arm" and task.pid == 0 and cpu.number == 0:
                out = tuple(each for each in out if each not in entry.from_stack)
            return (*entry.softirq_body, *out, *vector)
        if not is_switch:
            return vector
        if vector is entry.user:
            return ("schedule", *entry.exit_user, *vector)
        return (*entry.preempt, *vector)

    def _is_on_irq_stack(self, cpu: Cpu, index: int) -> bool:
        """Whether the context below an interrupt is on this CPU's IRQ stack already."""
        below = _phase(cpu.frames[index - 1], cpu.frames[index].preempt_count)
        if index > 1:
            return below != _BODY
        return below == _SOFT and not _is_ksoftirqd(cpu.current)

    def _bottom(self, cpu: Cpu, phase: int, is_top: bool, name: str, has_own: bool) -> Chain:
        """A task's own code."""
        task, entry = cpu.current, self._entry
        if task is cpu.idle:
            where: Chain = () if is_top else ("arch_cpu_idle", "default_idle_call")
            if phase == _SOFT:
                where = (*entry.softirq_body, *entry.call_softirq)
            start = entry.secondary_idle if cpu.number else entry.boot_idle
            return (*where, *entry.idle, *start)
        soft: Chain = ()
        if phase == _SOFT:
            soft = entry.softirq_body
            if not _is_ksoftirqd(task) and not task.comm.startswith("ktimers/"):
                soft = (*soft, *entry.call_softirq)
        if task.has_mm:
            if task.in_user:
                return (*soft, *entry.syscall_exit) if is_top else ()
            return (*soft, _symbol(task.comm), *entry.syscall)
        is_switch = is_top and name == "sched_switch"
        # A thread that waits for work is in the loop around its function; ksoftirqd always is.
        is_waiting = is_switch and (task.state == TASK_INTERRUPTIBLE or _is_ksoftirqd(task))
        is_between = has_own or is_waiting
        body = () if is_between and phase == _BODY else self._body(task)
        return (*soft, *body, *_by_name(THREADS, task.comm))

    def _body(self, task: Task) -> Chain:
        comm = task.comm
        if comm.startswith("irq/"):
            name = comm.split("-", 1)[1] if "-" in comm else comm
            return (f"{_symbol(name.removeprefix('s-'))}_thread", "irq_thread_fn")
        if comm.startswith("kworker/"):
            return ()
        return _by_name(THREAD_BODIES, comm) or (_symbol(comm),)

    def _visible(self, chain: Chain) -> Chain:
        return chain[self._entry.nr_hidden :]

    def _stack(self, chain: Chain) -> Event:
        return self._k.events.intern(KERNEL_STACK, "\n".join(chain))

    def _fires(self, event: Event) -> bool:
        """Whether a trigger wants this one's stack, and one less from now on."""
        left = self.triggers.get(event.tracepoint.id, 0)
        if left > 0:
            self.triggers[event.tracepoint.id] = left - 1
        return left != 0


def _phase(frame: Frame, count: int) -> int:
    """How far a context has come, by what it has added to preempt_count."""
    if frame.is_irq:
        if (count & HARDIRQ_MASK) > (frame.preempt_count & HARDIRQ_MASK):
            return _HARD
        is_soft = count & SOFTIRQ_OFFSET and not frame.preempt_count & SOFTIRQ_OFFSET
        return _SOFT if is_soft else _BODY
    return _SOFT if count & SOFTIRQ_OFFSET else _BODY


def _is_ksoftirqd(task: Task) -> bool:
    return task.comm.startswith("ksoftirqd/") and not task.has_mm


def _by_name(rows: tuple[tuple[str, Chain], ...], comm: str) -> Chain:
    return next((chain for start, chain in rows if comm.startswith(start)), ())


def _event_class(name: str) -> str:
    """The class that an event's probe is named after."""
    for start in ("softirq_", "tasklet_"):
        if name.startswith(start):
            return start[:-1]
    return "ipi_handler" if name in ("ipi_entry", "ipi_exit") else name


def _symbol(name: str) -> str:
    text = "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
    return f"_{text}" if text[:1].isdigit() else text
