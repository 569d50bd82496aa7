"""What each verb of the step language runs, in one table; its grammar is in steps.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.events import PRINT, TASK_INTERRUPTIBLE
from irqsim.kernel import preempt
from irqsim.kernel.hrtimer import hrtimer_cancel_sync, hrtimer_start
from irqsim.kernel.irq import manage
from irqsim.kernel.irq.irqdesc import IrqDesc
from irqsim.kernel.irq.resend import irq_sw_resend
from irqsim.kernel.irq_work import irq_work_queue
from irqsim.kernel.locking import (
    Mutex,
    SpinLock,
    mutex_lock,
    mutex_unlock,
    spin_lock,
    spin_lock_bh,
    spin_lock_irqsave,
    spin_unlock,
    spin_unlock_bh,
    spin_unlock_irqrestore,
)
from irqsim.kernel.lockup import panic
from irqsim.kernel.sched import cond_resched, preempt_check_resched, sched_yield, schedule
from irqsim.kernel.smp import (
    NOTHING_CALLED,
    ipi_to_self,
    smp_call_function_single_async,
    smp_cross_call,
)
from irqsim.kernel.softirq import (
    HI_SOFTIRQ,
    TASKLET_SOFTIRQ,
    local_bh_disable,
    local_bh_enable,
    raise_softirq,
    tasklet_disable,
    tasklet_enable,
    tasklet_kill,
    tasklet_schedule,
)
from irqsim.kernel.state import Cpu, Kernel, Path
from irqsim.kernel.timer import del_timer, mod_timer, msleep, nsecs_to_jiffies_up
from irqsim.kernel.trace import trace
from irqsim.kernel.wait import WaitQueue, wait_event, wake_up
from irqsim.kernel.wakeup import wake_up_process
from irqsim.kernel.workqueue import queue_work
from irqsim.prng import draw
from irqsim.scenario.program import CALL, PATH, RAISE, Op, Program
from irqsim.scenario.spec import Arg
from irqsim.scenario.verbs_replay import REPLAY_VERBS
from irqsim.units import SOFTIRQ_NAMES, Duration

Compiler = Callable[[Program, tuple[Arg, ...]], Op]


def _call(function: Callable[[Kernel, Cpu], None]) -> Op:
    op = Op(CALL)
    op.call = function
    return op


def _path(function: Callable[[Kernel, Cpu], Path]) -> Op:
    op = Op(PATH)
    op.path = function
    return op


def _ack(program: Program, args: tuple[Arg, ...]) -> Op:
    quiet = program.quiet
    assert quiet is not None
    return _call(lambda k, cpu: quiet(cpu))


def _raise_softirq(program: Program, args: tuple[Arg, ...]) -> Op:
    vec = SOFTIRQ_NAMES.index(str(args[0]))
    op = Op(RAISE, vec)
    op.path = lambda k, cpu: raise_softirq(k, cpu, vec)
    return op


def _tasklet_schedule(vec: int) -> Compiler:
    def compile_(program: Program, args: tuple[Arg, ...]) -> Op:
        tasklet = program.machine.tasklet(str(args[0]))
        return _path(lambda k, cpu: tasklet_schedule(k, cpu, tasklet, vec))

    return compile_


def _tasklet_disable(program: Program, args: tuple[Arg, ...]) -> Op:
    tasklet = program.machine.tasklet(str(args[0]))
    return _path(lambda k, cpu: tasklet_disable(k, cpu, tasklet))


def _tasklet_enable(program: Program, args: tuple[Arg, ...]) -> Op:
    tasklet = program.machine.tasklet(str(args[0]))
    return _call(lambda k, cpu: tasklet_enable(k, cpu, tasklet))


def _tasklet_kill(program: Program, args: tuple[Arg, ...]) -> Op:
    tasklet = program.machine.tasklet(str(args[0]))
    return _path(lambda k, cpu: tasklet_kill(k, cpu, tasklet))


def _wake_up_process(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])
    return _path(lambda k, cpu: wake_up_process(k, cpu, machine.task(name)))


def _managed(change: Callable[[Kernel, Cpu, IrqDesc], None]) -> Compiler:
    """A call on a device's line that takes its time and does not wait."""

    def compile_(program: Program, args: tuple[Arg, ...]) -> Op:
        machine, name = program.machine, str(args[0])

        def path(k: Kernel, cpu: Cpu) -> Path:
            change(k, cpu, machine.line_of(name))
            if k.resend.descs:
                yield from irq_sw_resend(k, cpu)
            # An interrupt that waits is taken while the descriptor's lock is being released.
            cpu.preempt_count += k.preempt_offset
            yield 0
            cpu.preempt_count -= k.preempt_offset
            yield from preempt_check_resched(k, cpu)
            yield k.cost.irq_manage

        return _path(path)

    return compile_


def _disable_irq(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])

    def path(k: Kernel, cpu: Cpu) -> Path:
        desc = machine.line_of(name)
        manage.disable_irq_nosync(desc)
        yield k.cost.irq_manage
        yield from manage.synchronize_irq(k, cpu, desc)

    return _path(path)


def _synchronize_irq(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])
    return _path(lambda k, cpu: manage.synchronize_irq(k, cpu, machine.line_of(name)))


def _irq_set_affinity(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name, cpus = program.machine, str(args[0]), args[1]
    assert isinstance(cpus, tuple)

    def path(k: Kernel, cpu: Cpu) -> Path:
        saved, cpu.irqs_disabled = cpu.irqs_disabled, True
        for thread in manage.irq_set_affinity(k, machine.line_of(name), cpus):
            yield from wake_up_process(k, cpu, thread)
        cpu.irqs_disabled = saved
        yield k.cost.irq_manage

    return _path(path)


def _request_irq(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])
    return _path(lambda k, cpu: machine.request_irq(name))


def _free_irq(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])
    return _path(lambda k, cpu: machine.free_irq(cpu, name))


def _simple(path: Callable[[Kernel, Cpu], Path]) -> Compiler:
    return lambda program, args: _path(path)


def _local_irq_disable(k: Kernel, cpu: Cpu) -> Path:
    cpu.irqs_disabled = True
    yield k.cost.local_irq


def _local_irq_enable(k: Kernel, cpu: Cpu) -> Path:
    cpu.irqs_disabled = False
    yield k.cost.local_irq


def _local_bh_disable(k: Kernel, cpu: Cpu) -> Path:
    yield from local_bh_disable(k, cpu)
    yield k.cost.local_irq


def _preempt_disable(k: Kernel, cpu: Cpu) -> Path:
    if k.preempt_count_built:
        cpu.preempt_count += preempt.PREEMPT_OFFSET
    yield k.cost.local_irq


def _preempt_enable(k: Kernel, cpu: Cpu) -> Path:
    if k.preempt_count_built:
        cpu.preempt_count -= preempt.PREEMPT_OFFSET
    yield k.cost.local_irq
    yield from preempt_check_resched(k, cpu)


def _schedule(k: Kernel, cpu: Cpu) -> Path:
    cpu.current.state = TASK_INTERRUPTIBLE
    yield from schedule(k, cpu)


def _syscall(program: Program, args: tuple[Arg, ...]) -> Op:
    duration = args[0]
    assert isinstance(duration, Duration)

    def path(k: Kernel, cpu: Cpu) -> Path:
        yield draw(duration, program.stream, program.machine.tick_ns)

    return _path(path)


def _smp_send_reschedule(program: Program, args: tuple[Arg, ...]) -> Op:
    number = args[0]
    assert isinstance(number, int)

    def path(k: Kernel, cpu: Cpu) -> Path:
        site, target = f"{program.symbol}+0x40/0x60", k.cpus[number]
        if target is cpu:
            yield from ipi_to_self(k, cpu, k.ipi.reschedule, site, NOTHING_CALLED)
        else:
            smp_cross_call(k, cpu, target, k.ipi.reschedule, site, NOTHING_CALLED)

    return _path(path)


def _smp_call_function(program: Program, args: tuple[Arg, ...]) -> Op:
    number, duration = args
    assert isinstance(number, int)
    assert isinstance(duration, Duration)

    def function(cpu: Cpu) -> Path:
        yield draw(duration, program.stream, program.machine.tick_ns)

    return _path(lambda k, cpu: smp_call_function_single_async(k, cpu, k.cpus[number], function))


def _trace_printk(program: Program, args: tuple[Arg, ...]) -> Op:
    symbol, words = program.symbol, str(args[0])
    return _call(lambda k, cpu: trace(k, cpu, k.events.intern(PRINT, symbol, words)))


def _panic(program: Program, args: tuple[Arg, ...]) -> Op:
    words = str(args[0])
    return _path(lambda k, cpu: panic(k, words))


def _mod_timer(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name, duration = program.machine, str(args[0]), args[1]
    assert isinstance(duration, Duration)

    def path(k: Kernel, cpu: Cpu) -> Path:
        delay_ns = draw(duration, program.stream, machine.tick_ns)
        expires = k.jiffies + nsecs_to_jiffies_up(k, delay_ns)
        mod_timer(k, cpu, machine.timer(name), expires, cpu)
        yield k.cost.timer_manage

    return _path(path)


def _del_timer(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])

    def path(k: Kernel, cpu: Cpu) -> Path:
        del_timer(k, cpu, machine.timer(name))
        yield k.cost.timer_manage

    return _path(path)


def _hrtimer_start(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name, duration = program.machine, str(args[0]), args[1]
    assert isinstance(duration, Duration)

    def path(k: Kernel, cpu: Cpu) -> Path:
        expires_ns = k.now_ns + draw(duration, program.stream, machine.tick_ns)
        hrtimer_start(k, cpu, machine.hrtimer(name), expires_ns, cpu)
        yield k.cost.timer_manage

    return _path(path)


def _hrtimer_cancel(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])

    def path(k: Kernel, cpu: Cpu) -> Path:
        yield from hrtimer_cancel_sync(k, cpu, machine.hrtimer(name))
        yield k.cost.timer_manage

    return _path(path)


def _msleep(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, duration = program.machine, args[0]
    assert isinstance(duration, Duration)

    def path(k: Kernel, cpu: Cpu) -> Path:
        task = cpu.current
        sleep_ns = draw(duration, program.stream, machine.tick_ns)
        yield from msleep(k, task, machine.sleep_timer(task), sleep_ns)

    return _path(path)


def _napi_schedule(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])
    return _path(lambda k, cpu: machine.napi_schedule(k, cpu, name))


def _queue_work(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name = program.machine, str(args[0])
    return _path(lambda k, cpu: queue_work(k, cpu, machine.work(name)))


def _queue_work_on(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, number, name = program.machine, args[0], str(args[1])
    assert isinstance(number, int)
    return _path(lambda k, cpu: queue_work(k, cpu, machine.work(name), k.cpus[number]))


def _queue_delayed_work(program: Program, args: tuple[Arg, ...]) -> Op:
    machine, name, duration = program.machine, str(args[0]), args[1]
    assert isinstance(duration, Duration)

    def path(k: Kernel, cpu: Cpu) -> Path:
        work, timer = machine.work(name), machine.delayed_work_timer(name)
        delay_ns = draw(duration, program.stream, machine.tick_ns)
        if not delay_ns:
            yield from queue_work(k, cpu, work)
        elif not work.is_pending:
            work.is_pending = True
            mod_timer(k, cpu, timer, k.jiffies + nsecs_to_jiffies_up(k, delay_ns), cpu)
            yield k.cost.timer_manage

    return _path(path)


def _irq_work_queue(program: Program, args: tuple[Arg, ...]) -> Op:
    duration = args[0]
    assert isinstance(duration, Duration)

    def function(cpu: Cpu) -> Path:
        yield draw(duration, program.stream, program.machine.tick_ns)

    return _path(lambda k, cpu: irq_work_queue(k, cpu, program.symbol, function))


def _locking(path: Callable[[Kernel, Cpu, SpinLock], Path]) -> Compiler:
    def compile_(program: Program, args: tuple[Arg, ...]) -> Op:
        lock = program.machine.lock(str(args[0]))
        return _path(lambda k, cpu: path(k, cpu, lock))

    return compile_


def _mutex(path: Callable[[Kernel, Cpu, Mutex], Path]) -> Compiler:
    def compile_(program: Program, args: tuple[Arg, ...]) -> Op:
        mutex = program.machine.mutex(str(args[0]))
        return _path(lambda k, cpu: path(k, cpu, mutex))

    return compile_


def _waiting(path: Callable[[Kernel, Cpu, WaitQueue], Path]) -> Compiler:
    def compile_(program: Program, args: tuple[Arg, ...]) -> Op:
        queue = program.machine.wait_queue(str(args[0]))
        return _path(lambda k, cpu: path(k, cpu, queue))

    return compile_


VERBS: Final[dict[str, Compiler]] = {
    "ack": _ack,
    "raise_softirq": _raise_softirq,
    "tasklet_schedule": _tasklet_schedule(TASKLET_SOFTIRQ),
    "tasklet_hi_schedule": _tasklet_schedule(HI_SOFTIRQ),
    "tasklet_disable": _tasklet_disable,
    "tasklet_enable": _tasklet_enable,
    "tasklet_kill": _tasklet_kill,
    "wake_up_process": _wake_up_process,
    "disable_irq": _disable_irq,
    "disable_irq_nosync": _managed(lambda k, cpu, desc: manage.disable_irq_nosync(desc)),
    "enable_irq": _managed(manage.enable_irq),
    "irq_set_affinity": _irq_set_affinity,
    "synchronize_irq": _synchronize_irq,
    "request_irq": _request_irq,
    "free_irq": _free_irq,
    "local_irq_disable": _simple(_local_irq_disable),
    "local_irq_enable": _simple(_local_irq_enable),
    "local_bh_disable": _simple(_local_bh_disable),
    "local_bh_enable": _simple(local_bh_enable),
    "preempt_disable": _simple(_preempt_disable),
    "preempt_enable": _simple(_preempt_enable),
    "schedule": _simple(_schedule),
    "sched_yield": _simple(sched_yield),
    "cond_resched": _simple(cond_resched),
    "syscall": _syscall,
    "smp_send_reschedule": _smp_send_reschedule,
    "smp_call_function": _smp_call_function,
    "mod_timer": _mod_timer,
    "del_timer": _del_timer,
    "hrtimer_start": _hrtimer_start,
    "hrtimer_cancel": _hrtimer_cancel,
    "msleep": _msleep,
    "napi_schedule": _napi_schedule,
    "queue_work": _queue_work,
    "queue_work_on": _queue_work_on,
    "queue_delayed_work": _queue_delayed_work,
    "irq_work_queue": _irq_work_queue,
    "spin_lock": _locking(spin_lock),
    "spin_unlock": _locking(spin_unlock),
    "spin_lock_irqsave": _locking(spin_lock_irqsave),
    "spin_unlock_irqrestore": _locking(spin_unlock_irqrestore),
    "spin_lock_bh": _locking(spin_lock_bh),
    "spin_unlock_bh": _locking(spin_unlock_bh),
    "mutex_lock": _mutex(mutex_lock),
    "mutex_unlock": _mutex(mutex_unlock),
    "wait_event": _waiting(wait_event),
    "wake_up": _waiting(wake_up),
    "trace_printk": _trace_printk,
    "panic": _panic,
    **REPLAY_VERBS,
}
"""What each verb runs.  A verb of steps.py that is missing here is refused by later.py."""

OPENING: Final = (
    "local_irq_disable", "local_bh_disable", "preempt_disable",
    "spin_lock", "spin_lock_irqsave", "spin_lock_bh", "mutex_lock",
)  # fmt: skip
CLOSING: Final = (
    "local_irq_enable", "local_bh_enable", "preempt_enable",
    "spin_unlock", "spin_unlock_irqrestore", "spin_unlock_bh", "mutex_unlock",
)  # fmt: skip
"""The verbs between which code is the kernel's, whatever a task's mode is."""
