"""What the kernel calls back: compiled programs as the functions of tasklets, timers, tasks."""

from __future__ import annotations

from collections.abc import Callable

from irqsim.kernel.entry import exit_to_user_mode
from irqsim.kernel.exit import do_exit
from irqsim.kernel.hrtimer import HRTIMER_NORESTART, HRTIMER_RESTART, HrTimer, TimerPath
from irqsim.kernel.sched import start_task
from irqsim.kernel.state import Cpu, Kernel, Path, Task
from irqsim.kernel.timer import TimerList, mod_timer, nsecs_to_jiffies_up
from irqsim.kernel.vectors import no_action
from irqsim.scenario.program import Program, return_to_user, run_atomic, run_task
from irqsim.scenario.spec import HrtimerSpec, TimerSpec


def atomic_function(program: Program) -> Callable[[Kernel, Cpu], Path]:
    """A program as a softirq's or tasklet's function."""

    def path(k: Kernel, cpu: Cpu) -> Path:
        if program.ops:
            yield from run_atomic(k, cpu, program, program.ops)

    return path


def after(
    duty: Callable[[Kernel, Cpu], Path], program: Program
) -> Callable[[Kernel, Cpu], Path]:
    """A vector's built-in duty, then what the scenario adds to it."""
    if duty is no_action:
        return atomic_function(program)

    def path(k: Kernel, cpu: Cpu) -> Path:
        yield from duty(k, cpu)
        yield from run_atomic(k, cpu, program, program.ops)

    return path


def task_body(k: Kernel, holder: list[Task], program: Program, loop: bool) -> Path:
    """The code of a task, from its first switch to its last."""
    task = holder[0]
    yield from start_task(k, task)
    if program.is_user:
        # Its first system call takes no time: the process has just been made.
        yield from exit_to_user_mode(k, task)
    while True:
        began_ns = k.now_ns
        yield from run_task(k, task, program, program.ops)
        if not loop:
            break
        if k.now_ns == began_ns:
            # A round of no duration: the engine counts them.
            yield 0
    yield from return_to_user(k, task)
    task.in_user = False
    yield k.cost.syscall
    yield from do_exit(k, task)


def work_function(program: Program) -> Callable[[Kernel, Task], Path]:
    """A work's function, in the worker that takes it."""

    def path(k: Kernel, task: Task) -> Path:
        yield from run_task(k, task, program, program.ops)

    return path


def timer_function(
    program: Program, timers: dict[str, TimerList], spec: TimerSpec
) -> Callable[[Kernel, Cpu], Path]:
    """A timer's function: one with a period arms itself again before it does its work."""

    def path(k: Kernel, cpu: Cpu) -> Path:
        if spec.period is not None:
            expires = k.jiffies + nsecs_to_jiffies_up(k, spec.period)
            mod_timer(k, cpu, timers[spec.name], expires, cpu)
        yield from run_atomic(k, cpu, program, program.ops)

    return path


def hrtimer_function(
    program: Program, spec: HrtimerSpec
) -> Callable[[Kernel, Cpu, HrTimer], TimerPath]:
    """An hrtimer's function: one with a period is moved on by whole periods.

    Source: kernel/time/hrtimer.c: hrtimer_forward.
    """

    def path(k: Kernel, cpu: Cpu, timer: HrTimer) -> TimerPath:
        yield from run_atomic(k, cpu, program, program.ops)
        if spec.period is None:
            return HRTIMER_NORESTART
        periods = (k.now_ns - timer.expires_ns) // spec.period + 1
        timer.expires_ns += periods * spec.period
        return HRTIMER_RESTART

    return path
