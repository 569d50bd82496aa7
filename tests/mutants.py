"""Faults put into the model on purpose: every one must break the law that is there for it.

    python -m tests.mutants [WORD...]    all, or those whose description has one of the words

Each fault is one change of text in a temporary copy of the package.  It is caught when one of
its laws does not hold on the fixed series of scenarios, or when the test that it names fails.
A fault that is not caught, and one whose text is no longer there, fail the whole.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Final

from attrs import frozen

ROOT: Final = Path(__file__).resolve().parent.parent
TIMEOUT_S: Final = 120
ASSERTION: Final = "the model's own assertions"


@frozen
class Mutant:
    """A fault: what is wrong, where, the text and what it becomes, and who must notice."""

    what: str
    file: str
    old: str
    new: str
    caught_by: tuple[str, ...]
    """Laws, any of which is enough; or tests, by their pytest names."""


SOFTIRQ: Final = "kernel/softirq.py"
HANDLE: Final = "kernel/irq/handle.py"
ENTRY: Final = "kernel/entry.py"
SCHED: Final = "kernel/sched.py"
WAKEUP: Final = "kernel/wakeup.py"
IPI: Final = "kernel/irq/ipi.py"
LOCKING: Final = "kernel/locking.py"
GIC: Final = "hw/gic.py"
INTERRUPT: Final = "hw/interrupt.py"
DEVICE: Final = "hw/device.py"
MANAGE: Final = "kernel/irq/manage.py"
ENGINE: Final = "engine.py"
TICK: Final = "kernel/tick.py"
CPU: Final = "kernel/cpu.py"
MIGRATION: Final = "kernel/irq/migration.py"
STOPPER: Final = "kernel/stop_machine.py"
PI_DRIVER: Final = "kernel/irq/bcm2836.py"
GPIO_DRIVER: Final = "kernel/irq/gpio.py"
PI_TESTS: Final = "tests/test_bcm2836.py::"
GPIO_TESTS: Final = "tests/test_gpio.py::"
PROPERTIES: Final = "tests/test_properties.py::"
FLOWS: Final = "tests/test_flow_handlers.py::"
RECORDED: Final = "tests/test_captures.py::test_events_are_those_that_were_recorded"
RTMUTEX: Final = "kernel/rtmutex.py"
WORKQUEUE: Final = "kernel/workqueue.py"

RECORD: Final = """\
        k.trace_records.append((k.now_ns + k.trace_clock_ns, context, event))
    else:
"""

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "an NMI does not count as one", ENTRY,
        "    cpu.preempt_count += NMI_OFFSET + HARDIRQ_OFFSET\n",
        "    cpu.preempt_count += 2 * HARDIRQ_OFFSET\n",
        ("tests/test_pseudo_nmi.py",),
    ),
    Mutant(
        "an NMI returns with interrupts on", ENGINE,
        "        cpu.irqs_disabled = frame.irqs_disabled\n",
        "        cpu.irqs_disabled = False\n",
        ("tests/test_pseudo_nmi.py",),
    ),
    Mutant(
        "interrupts that are off stop NMIs too", ENGINE,
        "        return not cpu.irqs_disabled or (self._nmi[cpu.number] and not cpu.psr_i)\n",
        "        return not cpu.irqs_disabled\n",
        ("tests/test_pseudo_nmi.py",),
    ),
    Mutant(
        "RT: softirqs run at the end of the hard interrupt",
        ENTRY,
        "    if k.preempt_rt:\n        return wake_softirq_threads(k, cpu)\n",
        "    if k.preempt_rt:\n        return handle_softirqs(k, cpu)\n",
        ("tests/test_rt.py",),
    ),
    Mutant(
        "RT: who waits for a lock lends its owner nothing",
        RTMUTEX,
        "            owner.pi_locks.append(lock)\n        _adjust_prio(k, cpu, owner)\n",
        "            owner.pi_locks.append(lock)\n",
        (RECORDED + "[rt-inheritance]",),
    ),
    Mutant(
        "RT: a loan is kept when the lock is released",
        RTMUTEX,
        "        owner.pi_locks.remove(lock)\n        _adjust_prio(k, cpu, owner)\n",
        "        owner.pi_locks.remove(lock)\n",
        (RECORDED + "[rt-inheritance]",),
    ),
    Mutant(
        "RT: bottom halves off are no lock",
        "kernel/softirq_ctrl.py",
        "        yield from rt_spin_lock(k, cpu, cpu.softirq_ctrl_lock)\n",
        "        yield 0\n",
        (RECORDED + "[rt-bottom-halves]",),
    ),
    Mutant(
        "RT: ktimers is not woken where the interrupt came upon a softirq", ENTRY,
        "        yield from wake_timersd(k, cpu)\n    yield k.cost.irq_exit\n",
        "        if not cpu.preempt_count & IN_INTERRUPT_MASK:\n"
        "            yield from wake_timersd(k, cpu)\n"
        "    yield k.cost.irq_exit\n",
        ("tests/test_rt.py::test_a_timers_softirq_does_not_wait_for_the_next_interrupt",),
    ),
    Mutant(
        "bottom halves that are off run at the end of an interrupt", ENTRY,
        "    if cpu.preempt_count & IN_INTERRUPT_MASK:\n        return False\n    return k",
        "    if cpu.preempt_count & 0xF0100:\n        return False\n    return k",
        ("bottom_halves_that_are_off_run_nothing",),
    ),
    # Threads, polls, works.
    Mutant(
        "a one-shot line opens when its handler has returned", "kernel/irq/mask.py",
        "not desc.threads_oneshot", "True",
        ("a_oneshot_line_is_silent_while_its_thread_runs",
         "a_oneshot_line_waits_for_its_thread"),
    ),
    Mutant(
        "a device interrupts while its poll is scheduled", "scenario/nic.py",
        "        self.device.mask()\n", "",
        ("a_device_is_silent_while_its_poll_is_scheduled",
         "tests/test_dev.py::test_the_line_is_quiet_until_the_poll_is_complete"),
    ),
    Mutant(
        "a poll takes more than its weight", "kernel/dev.py",
        "work, napi.weight)", "work + napi.weight, napi.weight)",
        ("napi_polls_keep_their_budget",),
    ),
    Mutant(
        "a work that is queued while it runs is lost", WORKQUEUE,
        "        work.worker.scheduled.append(work)\n", "        work.is_pending = False\n",
        ("a_work_runs_once_for_each_time_it_was_queued",),
    ),
    Mutant(
        "a work runs beside itself on another worker", WORKQUEUE,
        "    if work.worker is not None:\n", "    if False:\n",
        ("no_work_runs_beside_itself",),
    ),
    # Storms, deadlines, lockups.
    Mutant(
        "a storm is one interrupt late", "kernel/irq/storm.py",
        "        if watch.count > self._limit:\n", "        if watch.count > self._limit + 1:\n",
        ("tests/test_storm.py::test_one_interrupt_too_many_disables_the_line",),
    ),
    Mutant(
        "a storm's line is never enabled again", "kernel/irq/storm.py",
        "            enable_irq(k, cpu, desc)\n", "            pass\n",
        ("tests/test_storm.py::test_a_held_line_is_enabled_again",),
    ),
    Mutant(
        "polls count as interrupts", "kernel/irq/storm.py",
        "        if desc.istate & (IRQS_STORM | IRQS_POLL_INPROGRESS):\n            return\n", "",
        ("tests/test_storm.py",),
    ),
    Mutant(
        "a deadline is missed when it is kept", "scenario/service.py",
        "        if latency_ns > self.deadline_ns:\n",
        "        if latency_ns >= self.deadline_ns:\n",
        ("tests/test_deadline.py::test_the_deadline_itself_is_in_time",),
    ),
    Mutant(
        "a service ends with its handler", "scenario/service.py",
        "                service.nr_parts += 1\n", "",
        ("tests/test_deadline.py",),
    ),
    Mutant(
        "an arrival that is served is forgotten", DEVICE,
        "                self.nr_services += taken - self.merged[pe]\n", "                pass\n",
        ("no_arrival_is_forgotten",),
    ),
    Mutant(
        "a polled device is looked at once", "scenario/poller.py",
        "        return HRTIMER_RESTART\n", "        return 0\n",
        ("tests/test_deadline.py::test_a_polled_device_is_looked_at_from_a_timer",),
    ),
    Mutant(
        "locks in a circle are not seen", LOCKING,
        "        if owner == cpu.number:\n            return True\n", "",
        ("tests/test_lockup.py::test_two_cpus_that_wait_for_each_others_lock_are_found",),
    ),
    # Softirqs.
    Mutant(
        "softirqs run with interrupts off", SOFTIRQ,
        "        cpu.softirq_pending = 0\n        cpu.irqs_disabled = False\n",
        "        cpu.softirq_pending = 0\n",
        ("softirqs_run_with_interrupts_on",),
    ),
    Mutant(
        "the highest vector runs first", SOFTIRQ,
        "            vec = (pending & -pending).bit_length() - 1\n"
        "            pending &= pending - 1\n",
        "            vec = pending.bit_length() - 1\n            pending &= ~(1 << vec)\n",
        ("vectors_ascend_within_a_pass",),
    ),
    Mutant(
        "the snapshot leaves the vectors pending", SOFTIRQ,
        "        cpu.softirq_pending = 0\n        cpu.irqs_disabled = False\n",
        "        cpu.irqs_disabled = False\n",
        ("every_run_of_a_vector_was_raised", "vectors_ascend_within_a_pass"),
    ),
    Mutant(
        "a pass more than the limit", SOFTIRQ,
        "and passes > 0:", "and passes >= 0:",
        ("softirq_passes_are_limited",),
    ),
    Mutant(
        "nobody wakes ksoftirqd when the limit is reached", SOFTIRQ,
        "            continue\n        yield from wakeup_softirqd(k, cpu)\n        break\n",
        "            continue\n        break\n",
        ("a_raised_vector_runs_before_its_cpu_idles", "no_cpu_idles_with_work_to_do"),
    ),
    Mutant(
        "a raise in process context wakes nobody", SOFTIRQ,
        "    if not cpu.preempt_count & IN_INTERRUPT_MASK and not cpu.softirq_ctrl_cnt:\n"
        "        yield from wakeup_softirqd(k, cpu)\n"
        "    if k.cost.softirq_raise:",
        "    if k.cost.softirq_raise:",
        ("a_raised_vector_runs_before_its_cpu_idles", "no_cpu_idles_with_work_to_do"),
    ),
    Mutant(
        "a raise forgets the vectors that are pending", SOFTIRQ,
        "    cpu.softirq_pending |= 1 << vec\n    if not cpu.preempt_count",
        "    cpu.softirq_pending = 1 << vec\n    if not cpu.preempt_count",
        ("a_raised_softirq_runs_or_stays_pending", "vectors_ascend_within_a_pass",
         "a_raised_vector_runs_before_its_cpu_idles"),
    ),
    Mutant(
        "local_bh_enable() runs nothing", SOFTIRQ,
        "    if cpu.softirq_pending and not cpu.preempt_count & IN_INTERRUPT_MASK:\n"
        "        yield from do_softirq(k, cpu)\n",
        "",
        ("a_raised_vector_runs_before_its_cpu_idles", "no_cpu_idles_with_work_to_do"),
    ),
    Mutant(
        "local_bh_enable() counts one too few", SOFTIRQ,
        "    cpu.preempt_count -= PREEMPT_OFFSET\n    yield from preempt_check_resched(k, cpu)\n",
        "    yield from preempt_check_resched(k, cpu)\n",
        ("preempt_count_is_balanced", ASSERTION),
    ),
    Mutant(
        "nobody waits for a runnable ksoftirqd", SOFTIRQ,
        "    return cpu.ksoftirqd.state == TASK_RUNNING\n",
        "    return False\n",
        ("softirqs_wait_for_a_runnable_ksoftirqd",),
    ),
    Mutant(
        "HI does not wait for TASKLET's exemption, nor TASKLET itself", SOFTIRQ,
        "if not k.release.ksoftirqd_defers or cpu.softirq_pending & SOFTIRQ_NOW_MASK:",
        "if not k.release.ksoftirqd_defers or cpu.softirq_pending & 0xFF:",
        ("softirqs_wait_for_a_runnable_ksoftirqd",),
    ),
    Mutant(
        "runs of vectors are not counted", SOFTIRQ,
        "            counts[vec] += 1\n", "",
        ("counts_are_those_of_the_log",),
    ),
    Mutant(
        "the exit names another vector", SOFTIRQ,
        "            trace(k, cpu, exit_[vec])\n", "            trace(k, cpu, exit_[9 - vec])\n",
        ("softirq_exit_closes_its_entry",),
    ),
    Mutant(
        "softirqs run on top of softirqs", ENTRY,
        "    if cpu.preempt_count & IN_INTERRUPT_MASK:\n        return False\n    return k",
        "    if cpu.preempt_count & 0xF0000:\n        return False\n    return k",
        ("softirqs_do_not_nest",),
    ),
    Mutant(
        "softirqs run where they are raised", SOFTIRQ,
        "        yield from wakeup_softirqd(k, cpu)\n    if k.cost.softirq_raise:",
        "        yield from wakeup_softirqd(k, cpu)\n"
        "    elif not cpu.preempt_count & 0xFF00:\n"
        "        yield from handle_softirqs(k, cpu)\n    if k.cost.softirq_raise:",
        ("no_softirq_inside_a_hard_interrupt",),
    ),
    Mutant(
        "ksoftirqd serves another CPU", "boot.py",
        "f\"ksoftirqd/{number}\"", "f\"ksoftirqd/{number + 1}\"",
        ("ksoftirqd_serves_its_own_cpu",),
    ),
    Mutant(
        "TIMER is another vector", SOFTIRQ,
        "TIMER_SOFTIRQ: Final = 1\nNET_TX", "TIMER_SOFTIRQ: Final = 5\nNET_TX",
        ("timers_expire_in_timer",),
    ),
    Mutant(
        "NET_RX is another vector", SOFTIRQ,
        "NET_RX_SOFTIRQ: Final = 3\n", "NET_RX_SOFTIRQ: Final = 5\n",
        ("napi_polls_in_net_rx",),
    ),
    Mutant(
        "TASKLET is another vector", SOFTIRQ,
        "TASKLET_SOFTIRQ: Final = 6\n", "TASKLET_SOFTIRQ: Final = 5\n",
        ("tasklets_run_in_their_vectors",),
    ),
    Mutant(
        "HRTIMER is another vector", SOFTIRQ,
        "HRTIMER_SOFTIRQ: Final = 8\n", "HRTIMER_SOFTIRQ: Final = 5\n",
        ("soft_hrtimers_expire_in_hrtimer",),
    ),
    # Tasklets.
    Mutant(
        "the exit names another tasklet", SOFTIRQ,
        "intern(TASKLET_EXIT, f\"{symbol}_tasklet\",", "intern(TASKLET_EXIT, f\"{symbol}_other\",",
        ("tasklet_exit_closes_its_entry",),
    ),
    Mutant(
        "a tasklet does not hold its RUN bit", SOFTIRQ,
        "            tasklet.is_running, tasklet.cpu = True, cpu.number\n", "",
        ("a_tasklet_runs_on_one_cpu_at_a_time",),
    ),
    Mutant(
        "a tasklet is queued at the head", SOFTIRQ,
        "    _queue_of(cpu, vec).append(tasklet)\n", "    _queue_of(cpu, vec).insert(0, tasklet)\n",
        ("tasklets_run_in_the_order_in_which_they_were_queued",),
    ),
    Mutant(
        "a tasklet is queued twice", SOFTIRQ,
        "    if tasklet.sched:\n        return\n    tasklet.sched = True\n", "",
        ("tasklets_run_in_the_order_in_which_they_were_queued",),
    ),
    Mutant(
        "a tasklet cannot be queued again while it runs", SOFTIRQ,
        "            tasklet.sched = False\n"
        "            trace(k, cpu, tasklet.entry_event)\n"
        "            yield from tasklet.function(k, cpu)\n",
        "            trace(k, cpu, tasklet.entry_event)\n"
        "            yield from tasklet.function(k, cpu)\n"
        "            tasklet.sched = False\n",
        ("tasklets_run_in_the_order_in_which_they_were_queued",),
    ),
    Mutant(
        "disabled tasklets run", SOFTIRQ,
        "if not tasklet.is_running and not tasklet.count:", "if not tasklet.is_running:",
        ("a_disabled_tasklet_does_not_run",),
    ),
    Mutant(
        "a tasklet that cannot run is forgotten", SOFTIRQ,
        "        queue.append(tasklet)\n        raise_softirq_no_wake(k, cpu, vec)\n", "",
        ("tasklets_run_in_the_order_in_which_they_were_queued",),
    ),
    # Interrupts.
    Mutant(
        "handlers run with interrupts on", HANDLE,
        "        result = yield from action.handler(k, cpu, action)\n"
        "        trace(k, cpu, action.exit_events[result != IRQ_NONE])\n"
        "        if not cpu.irqs_disabled:\n",
        "        cpu.irqs_disabled = False\n"
        "        result = yield from action.handler(k, cpu, action)\n"
        "        cpu.irqs_disabled = True\n"
        "        trace(k, cpu, action.exit_events[result != IRQ_NONE])\n"
        "        if not cpu.irqs_disabled:\n",
        ("hard_interrupts_keep_interrupts_off",),
    ),
    Mutant(
        "handlers are interrupted", HANDLE,
        "        result = yield from action.handler(k, cpu, action)\n"
        "        trace(k, cpu, action.exit_events[result != IRQ_NONE])\n"
        "        if not cpu.irqs_disabled:\n",
        "        cpu.irqs_disabled = False\n"
        "        result = yield from action.handler(k, cpu, action)\n"
        "        cpu.irqs_disabled = True\n"
        "        trace(k, cpu, action.exit_events[result != IRQ_NONE])\n"
        "        if not cpu.irqs_disabled:\n",
        ("hard_interrupts_do_not_nest",),
    ),
    Mutant(
        "the exit names another line", "kernel/irq/irqdesc.py",
        "k.events.intern(IRQ_HANDLER_EXIT, irq,", "k.events.intern(IRQ_HANDLER_EXIT, irq + 1,",
        ("irq_handler_exit_closes_its_entry",),
    ),
    Mutant(
        "the EOI comes before the handlers", HANDLE,
        "        if not is_polled:\n            if desc.is_msi and k.release.resends_lpis:\n"
        "                # It was moved while its handlers ran: they run once more when they are "
        "through.\n                desc.istate |= IRQS_PENDING\n"
        "            desc.chip.irq_eoi(cpu, desc)\n            return\n",
        "    desc.chip.irq_eoi(cpu, desc)\n",
        ("a_line_runs_on_one_cpu_at_a_time",),
    ),
    Mutant(
        "IPIs run in another interrupt", IPI,
        "IrqAction(k, desc.irq, \"IPI\",", "IrqAction(k, desc.irq, \"other\",",
        ("ipis_are_handled_by_their_own_interrupt",),
    ),
    Mutant(
        "the interrupt is left after the switch", ENTRY,
        "    cpu.preempt_count = count\n"
        "    if cpu.softirq_pending and _may_run_softirqs(k, cpu):\n"
        "        yield from _invoke_softirq(k, cpu)\n"
        "    if cpu.pending_timer_softirq and not cpu.preempt_count & HARDIRQ_MASK:\n"
        "        # Also where it came upon a softirq.\n"
        "        yield from wake_timersd(k, cpu)\n"
        "    yield k.cost.irq_exit\n"
        "    if cpu.tif_need_resched or cpu.tif_need_resched_lazy:\n"
        "        yield from _give_way(k, cpu, from_user)\n\n\n"
        "def interrupt_before_5_16",
        "    yield k.cost.irq_exit\n"
        "    if cpu.tif_need_resched and task is not cpu.idle:\n"
        "        yield from schedule(k, cpu, preempt=True)\n"
        "        cpu = k.cpus[task.cpu]\n"
        "    cpu.preempt_count = count\n"
        "    if cpu.softirq_pending and _may_run_softirqs(k, cpu):\n"
        "        yield from _invoke_softirq(k, cpu)\n\n\n"
        "def interrupt_before_5_16",
        ("no_switch_in_an_interrupt",),
    ),
    Mutant(
        "the hard interrupt is not counted", ENTRY,
        "    cpu.preempt_count = count + HARDIRQ_OFFSET\n    if task is cpu.idle and",
        "    if task is cpu.idle and",
        ("handlers_run_in_hard_interrupt_context", ASSERTION),
    ),
    Mutant(
        "interrupts are not counted", HANDLE,
        "    desc.kstat_irqs[cpu.number] += 1\n    desc.tot_count += 1\n",
        "    desc.tot_count += 1\n",
        ("counts_are_those_of_the_log", "a_line_does_not_contradict_itself"),
    ),
    Mutant(
        "no EOI", HANDLE,
        "    yield from handle_irq_event(k, cpu, desc)\n    desc.chip.irq_eoi(cpu, desc)\n",
        "    yield from handle_irq_event(k, cpu, desc)\n",
        ("no_edge_is_lost_but_the_merged", "level_lines_are_served_while_asserted"),
    ),
    Mutant(
        "only the first action of a line runs", HANDLE,
        "    for action in desc.actions:\n        trace(",
        "    for action in desc.actions[:1]:\n        trace(",
        ("all_actions_of_a_line_run_in_their_order",),
    ),
    Mutant(
        "the actions run in the wrong order", HANDLE,
        "    for action in desc.actions:\n        trace(",
        "    for action in desc.actions[::-1]:\n        trace(",
        ("all_actions_of_a_line_run_in_their_order",),
    ),
    Mutant(
        "the thread is woken before the handler has returned", HANDLE,
        "        trace(k, cpu, action.exit_events[result != IRQ_NONE])\n"
        "        if not cpu.irqs_disabled:\n",
        "        if result & IRQ_WAKE_THREAD and action.thread_fn is not None:\n"
        "            yield from irq_wake_thread(k, cpu, desc, action)\n"
        "        trace(k, cpu, action.exit_events[result != IRQ_NONE])\n"
        "        if not cpu.irqs_disabled:\n",
        ("irq_threads_are_woken_behind_their_handler",),
    ),
    Mutant(
        "a disabled line runs its handlers", HANDLE,
        "    if desc.irqs_disabled or not desc.actions:\n"
        "        desc.istate |= IRQS_PENDING\n"
        "        mask_irq(desc)\n"
        "        desc.chip.irq_eoi(cpu, desc)\n",
        "    if not desc.actions:\n"
        "        desc.istate |= IRQS_PENDING\n"
        "        mask_irq(desc)\n"
        "        desc.chip.irq_eoi(cpu, desc)\n",
        ("a_disabled_line_runs_no_handler",),
    ),
    Mutant(
        "an edge of a disabled line is not remembered", HANDLE,
        "        desc.istate |= IRQS_PENDING\n"
        "        mask_irq(desc)\n"
        "        desc.chip.irq_eoi(cpu, desc)\n",
        "        mask_irq(desc)\n        desc.chip.irq_eoi(cpu, desc)\n",
        ("every_edge_is_followed_by_a_run",),
    ),
    Mutant(
        "the lowest source of a core is not served first", PI_DRIVER,
        "        return _lowest(pending) if pending else NO_IRQ\n",
        "        return pending.bit_length() - 1 if pending else NO_IRQ\n",
        (f"{PI_TESTS}test_one_exception_serves_all_of_the_banks_and_one_local_source",),
    ),
    Mutant(
        "shortcuts are not looked at", PI_DRIVER,
        "        if word >> SHORTCUT_SHIFT:\n", "        if word >> 31:\n",
        (f"{PI_TESTS}test_banks_are_served_in_the_order_of_the_driver",),
    ),
    Mutant(
        "an input with a shortcut sets its bank's bit as well", "hw/bcm2836.py",
        "            if self.pending(owner) & ~_HAS_SHORTCUT[owner]:\n",
        "            if self.pending(owner):\n",
        ("tests/test_bcm2836_stateful.py::TestBcm2836",),
    ),
    Mutant(
        "a mailbox is not cleared by its acknowledge", PI_DRIVER,
        "        self._local.clear_mailbox(cpu.number, 0, 1 << desc.hwirq)\n", "        pass\n",
        (f"{PI_TESTS}test_ipis_come_by_mailbox",),
    ),
    Mutant(
        "a Raspberry Pi's line is not masked while it is served", HANDLE,
        "    mask_irq(desc)\n    desc.chip.irq_ack(cpu, desc)\n    if desc.inprogress:\n",
        "    desc.chip.irq_ack(cpu, desc)\n    if desc.inprogress:\n",
        (f"{FLOWS}test_the_chip_is_asked_in_this_order",),
    ),
    Mutant(
        "a GPIO controller's parent is not ended", GPIO_DRIVER,
        "            parent.irq_eoi(cpu, desc)\n", "            pass\n",
        (f"{GPIO_TESTS}test_the_flow_follows_the_trigger",),
    ),
    Mutant(
        "only one line of a GPIO controller is served", GPIO_DRIVER,
        "        for offset in _bits(pending):\n", "        for offset in _bits(pending)[:1]:\n",
        (f"{GPIO_TESTS}test_the_lowest_line_is_served_first_in_one_interrupt",),
    ),
    Mutant(
        "a GPIO edge is latched only while its line is not masked", "hw/gpio.py",
        "            self.latch |= bit\n", "            self.latch |= bit & self.enable\n",
        (f"{GPIO_TESTS}test_the_output_is_high_while_a_line_is_pending_and_not_masked",),
    ),
    Mutant(
        "an expander forgets what its thread has read", GPIO_DRIVER,
        "        self.found |= pending\n", "        self.found = 0\n",
        ("no_edge_is_lost_but_the_merged", "level_lines_are_served_while_asserted",
         f"{GPIO_TESTS}test_nested_lines_run_in_the_thread_of_the_expander"),
    ),
    Mutant(
        "an expander's line does not follow its lines", "irqchips.py",
        "        if self._device is not None and self.hw.output and not self._device.wants[0]:\n",
        "        if self._device is None:\n",
        (f"{GPIO_TESTS}test_a_level_that_stays_high_is_served_again",),
    ),
    Mutant(
        "a line that cannot be made pending is not replayed", "kernel/irq/resend.py",
        "        k.resend.descs.append(desc)\n", "",
        (f"{GPIO_TESTS}test_an_edge_while_the_line_is_disabled_is_replayed_by_a_tasklet",),
    ),
    Mutant(
        "an edge of a disabled line is not replayed", "kernel/irq/resend.py",
        "    desc.istate &= ~IRQS_PENDING\n    if not desc.chip.irq_retrigger(desc):\n",
        "    desc.istate &= ~IRQS_PENDING\n    if not desc.irq:\n",
        ("every_edge_is_followed_by_a_run",),
    ),
    Mutant(
        "a one-shot line is not masked", HANDLE,
        "    if desc.istate & IRQS_ONESHOT:\n        mask_irq(desc)\n", "",
        ("a_oneshot_line_waits_for_its_thread",),
    ),
    Mutant(
        "an IPI ends as another one", IPI,
        "    trace(k, cpu, k.ipi.exit[number])\n", "    trace(k, cpu, k.ipi.exit[5 - number])\n",
        ("ipi_exit_closes_its_entry",),
    ),
    Mutant(
        "enable_irq() leaves the line masked", MANAGE,
        "        desc.irqs_disabled = False\n        unmask_irq(desc)\n",
        "        desc.irqs_disabled = False\n",
        ("a_masked_line_has_a_reason",),
    ),
    Mutant(
        "disable_irq() forgets its depth", MANAGE,
        "    desc.depth += 1\n    desc.irqs_disabled = True\n",
        "    desc.irqs_disabled = True\n",
        ("a_line_does_not_contradict_itself",),
    ),
    Mutant(
        "lines go to the last CPU of their affinity", MANAGE,
        "    desc.effective_cpu = desc.chip.irq_select_cpu(desc, online_of(k, cpus))\n",
        "    desc.effective_cpu = online_of(k, cpus)[-1]\n",
        ("a_line_is_served_where_its_affinity_says",),
    ),
    Mutant(
        "a level that comes while its line is in progress is remembered", HANDLE,
        "    mask_irq(desc)\n    desc.chip.irq_ack(cpu, desc)\n    if desc.inprogress:\n",
        "    mask_irq(desc)\n    desc.chip.irq_ack(cpu, desc)\n    if desc.inprogress:\n"
        "        desc.istate |= IRQS_PENDING\n",
        (FLOWS + "test_level_in_progress_elsewhere_stays_masked_until_the_first_is_done",),
    ),
    Mutant(
        "an edge that comes while its line is in progress is forgotten", HANDLE,
        "    if not may_run or desc.irqs_disabled or not desc.actions:\n"
        "        desc.istate |= IRQS_PENDING\n",
        "    if not may_run or desc.irqs_disabled or not desc.actions:\n",
        (FLOWS + "test_edge_in_progress_elsewhere_is_replayed_once_by_the_first",),
    ),
    Mutant(
        "an edge is replayed though its line was disabled", HANDLE,
        "        if not desc.istate & IRQS_PENDING or desc.irqs_disabled:\n            return\n",
        "        if not desc.istate & IRQS_PENDING:\n            return\n",
        (FLOWS + "test_edge_that_is_disabled_meanwhile_is_not_replayed_by_the_first",),
    ),
    Mutant(
        "a line opens before its last thread is done", "kernel/irq/mask.py",
        "    if not desc.irqs_disabled and not desc.threads_oneshot:\n",
        "    if not desc.irqs_disabled:\n",
        ("a_oneshot_line_waits_for_its_thread",
         FLOWS + "test_the_last_thread_of_a_shared_oneshot_line_unmasks_it"),
    ),
    # The controller and the devices.
    Mutant(
        "an acknowledged interrupt does not become active", GIC,
        "            interrupt.is_active = True\n", "            pass\n",
        ("an_active_interrupt_is_not_signalled_again",),
    ),
    Mutant(
        "an active interrupt is signalled", INTERRUPT,
        "            not self.is_active\n            and (self.latch", "            (self.latch",
        ("an_active_interrupt_is_not_signalled_again",),
    ),
    Mutant(
        "an acknowledged edge stays pending", GIC,
        "        interrupt.latch = False\n        if interrupt.sources:\n",
        "        if interrupt.sources:\n",
        ("no_edge_is_lost_but_the_merged",),
    ),
    Mutant(
        "an edge that merges says that it did not", GIC,
        "        if interrupt.latch:\n            return False\n        interrupt.latch = True\n",
        "        interrupt.latch = True\n",
        ("no_edge_is_lost_but_the_merged",),
    ),
    Mutant(
        "an interrupt is never deactivated", GIC,
        "            interrupt.is_active = False\n", "",
        ("an_interrupt_is_active_until_its_eoi",),
    ),
    Mutant(
        "a device that is quiet keeps its line high", DEVICE,
        "            if line is not None and line.is_asserted:\n                line.drive()\n",
        "",
        ("level_lines_are_served_while_asserted",),
    ),
    Mutant(
        "a level that rises again is not driven", DEVICE,
        "        if level is not self.is_asserted:\n", "        if not level:\n",
        ("level_lines_are_served_while_asserted",),
    ),
    # Tasks.
    Mutant(
        "ordinary tasks go before real-time ones", SCHED,
        "    elif rq.rt:\n        following = rq.rt.pop(0)\n",
        "    elif rq.rt and not rq.fair:\n        following = rq.rt.pop(0)\n",
        ("real_time_tasks_go_first",),
    ),
    Mutant(
        "need_resched stays set over a switch", SCHED,
        "    cpu.tif_need_resched = cpu.preempt_need_resched = cpu.tif_need_resched_lazy = False\n",
        "",
        ("a_switch_clears_need_resched", ASSERTION),
    ),
    Mutant(
        "a task that sleeps stays on its run queue", SCHED,
        "    runs_on = preempt or task.state == TASK_RUNNING\n", "    runs_on = True\n",
        ("every_task_is_at_one_place", "who_sleeps_is_woken_before_it_runs", ASSERTION),
    ),
    Mutant(
        "a task keeps the preempt_count of the one before it", SCHED,
        "        cpu.preempt_count = following.preempt_count\n", "",
        ("preempt_count_is_balanced", ASSERTION),
    ),
    Mutant(
        "the switch names the next task wrongly", SCHED,
        "        cpu.current = following\n", "        cpu.current = following or task\n"
        "        cpu.current = task if following is cpu.idle else following\n",
        ("switches_chain", "records_belong_to_the_task_that_runs", ASSERTION),
    ),
    Mutant(
        "the kernel is preempted where it must not be", SCHED,
        "    if not k.preemption or cpu.preempt_count & k.atomic_mask:\n",
        "    if not k.preemption or cpu.preempt_count & 0xF0000:\n",
        ("preempt_count_is_balanced", ASSERTION),
    ),
    Mutant(
        "spin locks do not spin", LOCKING,
        "        yield from spin_until(k, cpu, is_ours, f\"lock {lock.name!r}\")\n", "",
        ("a_lock_has_one_holder",),
    ),
    Mutant(
        "a mutex is taken from who sleeps with it", LOCKING,
        "        task.state = TASK_UNINTERRUPTIBLE\n        mutex.waiters.append(task)\n",
        "        break\n",
        ("a_lock_has_one_holder",),
    ),
    Mutant(
        "waking is not traced", WAKEUP,
        "    trace(k, cpu, _wake_event(k, SCHED_WAKING, task), _DEPTH_WAKING + extra)\n",
        "",
        ("wakeup_follows_waking",),
    ),
    Mutant(
        "a task is moved without a record", WAKEUP,
        "            trace(k, cpu, migrated, _DEPTH_WAKING + extra)\n", "",
        ("tasks_move_by_migration",),
    ),
    Mutant(
        "who is woken from afar never arrives", WAKEUP,
        "    while cpu.wake_list:\n        task = cpu.wake_list.pop(0)\n",
        "    while len(cpu.wake_list) > 1:\n        task = cpu.wake_list.pop(0)\n",
        ("who_is_woken_runs_or_waits",),
    ),
    Mutant(
        "a task that runs is woken again", WAKEUP,
        "    if task.state & _TASK_NORMAL:\n"
        "        yield from wake_up_state(k, cpu, task, _TASK_NORMAL)\n",
        "    if True:\n        yield from wake_up_state(k, cpu, task, -1)\n",
        ("a_task_runs_on_one_cpu_at_a_time", "every_task_is_at_one_place",
         "wakeup_follows_waking", ASSERTION),
    ),
    Mutant(
        "work ends as another", "kernel/workqueue.py",
        "k.events.intern(WORKQUEUE_EXECUTE_END, work.address,",
        "k.events.intern(WORKQUEUE_EXECUTE_END, 1,",
        ("work_end_closes_its_start",),
    ),
    Mutant(
        "a nice task's priority is beyond the last", "machine.py",
        "else 120 + spec.nice\n", "else 140 + spec.nice\n",
        ("priorities_exist",),
    ),
    # The log.
    Mutant(
        "the idle task shows its name", "kernel/trace.py",
        "if task.pid else (\"<idle>\",", "if task.pid else (\"swapper\",",
        ("the_idle_task_is_pid_0",),
    ),
    Mutant(
        "one CPU's clock is behind", "kernel/trace.py",
        RECORD,
        RECORD.replace("+", "- 3_000 * cpu.number +"),
        ("the_log_is_in_the_order_of_time",),
    ),
    Mutant(
        "every other record is late", "kernel/trace.py",
        RECORD,
        RECORD.replace("+", "- 3_000 * (len(k.trace_records) & 1) +"),
        ("time_never_goes_back_on_a_cpu",),
    ),
    # Time.
    Mutant(
        "time in hard interrupts counts twice", ENGINE,
        "                    time.hardirq_ns += stretch_ns\n",
        "                    time.hardirq_ns += 2 * stretch_ns\n",
        ("time_is_accounted_once",),
    ),
    Mutant(
        "an interrupted stretch is forgotten", ENGINE,
        "                cpu.frame.owed = cpu.due_ns - now_ns\n", "                pass\n",
        ("what_is_interrupted_goes_on_with_what_it_owes",),
    ),
    Mutant(
        "interrupts stay off after an exception", ENGINE,
        "        cpu.irqs_disabled = frame.irqs_disabled\n", "",
        ("no_cpu_idles_with_work_to_do", "level_lines_are_served_while_asserted",
         "interrupts_are_on_in_user_mode", ASSERTION),
    ),
    Mutant(
        "schedule() leaves interrupts on", SCHED,
        "    cpu.irqs_disabled = True\n    yield k.cost.context_switch\n",
        "    yield k.cost.context_switch\n",
        ("interrupts_are_off_where_they_must_be",),
    ),
    Mutant(
        "CPUs act before the hardware at one instant", ENGINE,
        "            if queue.next_ns <= now_ns:\n", "            if queue.next_ns < now_ns:\n",
        (PROPERTIES + "test_the_hardware_acts_first_at_one_instant",),
    ),
    Mutant(
        "a CPU runs on when another is due at the same instant", ENGINE,
        "if now_ns >= others_ns or now_ns >= queue.next_ns or changed:",
        "if now_ns > others_ns or now_ns >= queue.next_ns or changed:",
        ("at_one_instant_cpus_act_in_ascending_order",
         PROPERTIES + "test_cpus_act_in_ascending_order_at_one_instant"),
    ),
    Mutant(
        "jiffies run ahead", TICK,
        "    k.jiffies = k.now_ns // k.tick_ns\n", "    k.jiffies = k.now_ns // k.tick_ns + 1\n",
        ("jiffies_do_not_run_ahead",),
    ),
    Mutant(
        "the tick raises SCHED for RCU", TICK,
        "        raise_softirq_no_wake(k, cpu, RCU_SOFTIRQ)\n",
        "        raise_softirq_no_wake(k, cpu, SCHED_SOFTIRQ)\n",
        ("the_tick_raises_in_order",),
    ),
    # Who runs, and where.
    Mutant(
        "a slice is protected also where its task is ahead", "kernel/eevdf.py",
        "    if current is not None and is_eligible and current.protected_ns",
        "    if current is not None and current.protected_ns",
        ("tests/test_fair.py::test_a_slice_is_kept_only_by_who_is_not_ahead",),
    ),
    Mutant(
        "who sleeps ahead of its share leaves the queue", "kernel/eevdf.py",
        "    if delays and not _is_eligible(task, tasks):", "    if False:",
        ("tests/test_fair.py::"
         "test_who_sleeps_ahead_of_its_share_stays_queued_until_it_has_paid",),
    ),
    Mutant(
        "nobody is picked before the least virtual runtime", "kernel/cfs.py",
        "    rq.next_buddy = task\n", "",
        ("tests/test_fair.py::test_who_asked_for_the_preemption_runs_first_on_cfs",),
    ),
    Mutant(
        "the end of a wake-up is no preemption point", WAKEUP,
        "    yield 0\n    yield from preempt_check_resched(k, cpu)\n", "    yield 0\n",
        ("tests/test_sched.py::test_who_wakes_a_higher_priority_gives_way_at_once",),
    ),
    Mutant(
        "a work runs beside itself", "kernel/workqueue.py",
        "    if work.worker is not None:\n        work.worker.scheduled.append(work)\n"
        "        return\n",
        "",
        ("tests/test_workqueue.py::test_a_work_does_not_run_beside_itself",),
    ),
    Mutant(
        "a wake-up ends msleep()", "kernel/timer.py",
        "        timeout = expires - k.jiffies if task is not cpu.idle else 0\n",
        "        timeout = 0\n",
        ("tests/test_timer.py::test_msleep_goes_on_sleeping_when_it_is_woken",),
    ),
    Mutant(
        "an IPI to oneself waits for the next step", "kernel/smp.py",
        "    yield k.cost.ipi\n    k.gic.send_sgi(cpu.number, number, 1 << cpu.number)\n"
        "    yield 0\n",
        "    send_ipi(k, cpu.number, 1 << cpu.number, number)\n    yield 0\n",
        ("tests/test_ipi.py::test_an_ipi_to_oneself_is_taken_before_the_next_step",),
    ),
    Mutant(
        "a lock lets a user task out of the kernel", "scenario/program.py",
        "            if program.is_user and not program.nr_sections:\n",
        "            if program.is_user and not cpu.preempt_count and not cpu.irqs_disabled:\n",
        ("tests/test_program.py::"
         "test_a_user_task_stays_in_the_kernel_while_it_holds_something",),
    ),
    Mutant(
        "a thread does not follow its line", "kernel/irq/thread.py",
        "                each.follows_line = True\n", "                pass\n",
        ("tests/test_thread.py::test_when_a_thread_follows_its_line",),
    ),
    # CPUs that go and come.
    Mutant(
        "lines stay on a CPU that goes", CPU,
        "    irq_migrate_all_off_this_cpu(k, cpu)\n", "",
        ("no_line_goes_to_a_cpu_that_is_off",),
    ),
    Mutant(
        "a broken affinity keeps its CPU", MIGRATION,
        "    set_affinity(k, desc, everywhere if is_broken else desc.affinity)\n",
        "    if not is_broken:\n        set_affinity(k, desc, desc.affinity)\n",
        ("no_line_goes_to_a_cpu_that_is_off",),
    ),
    Mutant(
        "tasks stay on a CPU that goes", CPU,
        "            move_to_allowed(k, cpu, task)\n", "            pass\n",
        ("a_cpu_that_is_off_holds_nothing", "a_cpu_that_is_off_is_silent", ASSERTION),
    ),
    Mutant(
        "tasks choose a CPU that is off", WAKEUP,
        "        allowed = tuple(number for number in task.allowed if k.cpus[number].is_active)\n",
        "        allowed = task.allowed\n",
        ("a_cpu_that_is_off_holds_nothing", "who_is_woken_runs_or_waits", ASSERTION),
    ),
    Mutant(
        "wheel timers die with their CPU", CPU,
        "    timers_dead_cpu(k, k.cpus[task.cpu], dead)\n", "",
        ("a_cpu_that_is_off_holds_nothing",),
    ),
    Mutant(
        "high-resolution timers die with their CPU", CPU,
        "    hrtimers_cpu_dying(k, cpu, target)\n", "",
        ("a_cpu_that_is_off_holds_nothing",),
    ),
    Mutant(
        "tasklets die with their CPU", SOFTIRQ,
        "        _queue_of(cpu, vec).extend(queue)\n", "",
        ("tasklets_run_in_the_order_in_which_they_were_queued",),
    ),
    Mutant(
        "what is pending of the other vectors dies with its CPU", CPU,
        "        if pending >> vec & 1 and vec not in _TAKEN_OVER:\n",
        "        if False and vec not in _TAKEN_OVER:\n",
        ("a_raised_softirq_runs_or_stays_pending",
         "tests/test_cpu.py::test_a_vector_that_nobody_takes_over_runs_elsewhere"),
    ),
    Mutant(
        "the stopper's last switch is seen", SCHED,
        "    if not cpu.is_online:\n", "    if False:\n",
        ("a_cpu_that_is_off_is_silent", "a_raised_vector_runs_before_its_cpu_idles"),
    ),
)  # fmt: skip


# -- the judge: runs in the copy ---------------------------------------------------------


def judge(laws: list[str]) -> str:
    """The first of these laws that the fixed series of scenarios breaks; nothing if none."""
    from irqsim.errors import LimitError
    from tests.laws import LAW_NAMED
    from tests.runs import NR_RUNS, Run
    from tests.strategies import spec_of_seed

    for seed in range(NR_RUNS):
        try:
            run = Run(spec_of_seed(seed))
        except (AssertionError, LimitError, IndexError, ValueError, KeyError) as error:
            if ASSERTION in laws:
                return f"{ASSERTION}, scenario {seed}: {type(error).__name__}"
            continue
        for law in laws:
            if law != ASSERTION and LAW_NAMED[law].faults(run):
                return f"{law}, scenario {seed}"
    return ""


# -- the copies --------------------------------------------------------------------------


def _copy(place: Path) -> None:
    shutil.copytree(ROOT / "irqsim", place / "irqsim", ignore=shutil.ignore_patterns("*.pyc"))
    (place / "tests").mkdir()
    for path in sorted((ROOT / "tests").glob("*.py")):
        shutil.copy(path, place / "tests")
    shutil.copytree(ROOT / "tests" / "captures", place / "tests" / "captures")


def _run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def _caught_by(mutant: Mutant, place: Path) -> str:
    """What catches a fault that has been put into the copy; nothing if nothing does."""
    laws = [each for each in mutant.caught_by if not each.startswith("tests/")]
    tests = [each for each in mutant.caught_by if each.startswith("tests/")]
    if laws:
        done = _run(place, "-m", "tests.mutants", "--judge", *laws)
        if done.returncode:
            return f"the judge failed: {done.stderr.strip().splitlines()[-1]}"
        if done.stdout.strip():
            return done.stdout.strip()
    for test in tests:
        done = _run(place, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist",
                    "-o", "addopts=", test)  # fmt: skip
        if done.returncode == 1:
            return test.rpartition("::")[2]
    return ""


def try_out(mutant: Mutant, place: Path) -> tuple[bool, str]:
    """Put a fault into a copy, and take it out again; whether it was caught, and by what."""
    path = place / "irqsim" / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        return False, f"the text stands {text.count(mutant.old)} times in {mutant.file}"
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        caught = _caught_by(mutant, place)
    except subprocess.TimeoutExpired:
        caught = f"no end within {TIMEOUT_S} s"
    path.write_text(text, encoding="utf-8")
    if caught.startswith("the judge failed"):
        return False, caught
    return bool(caught), caught or f"NOT CAUGHT by {', '.join(mutant.caught_by)}"


def main(words: list[str]) -> int:
    """Try every fault, print a line for each, and say whether all were caught."""
    chosen = [each for each in MUTANTS if not words or any(word in each.what for word in words)]
    nr_workers = max(1, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        places: Queue[Path] = Queue()
        for number in range(nr_workers):
            place = Path(folder) / str(number)
            place.mkdir()
            _copy(place)
            places.put(place)

        def work(mutant: Mutant) -> tuple[Mutant, bool, str, float]:
            place = places.get()
            begun = time.monotonic()
            is_caught, by = try_out(mutant, place)
            places.put(place)
            return mutant, is_caught, by, time.monotonic() - begun

        nr_caught = 0
        with ThreadPoolExecutor(nr_workers) as pool:
            for mutant, is_caught, by, seconds in pool.map(work, chosen):
                print(f"{mutant.what:<64} {seconds:5.1f} s  {by}", flush=True)
                nr_caught += is_caught
    print(f"{nr_caught} of {len(chosen)} faults caught")
    return 0 if nr_caught == len(chosen) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--judge"]:
        print(judge(sys.argv[2:]))
    else:
        sys.exit(main(sys.argv[1:]))
