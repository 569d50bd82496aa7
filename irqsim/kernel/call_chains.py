"""Which function calls which: the pieces that a call chain is made of, as data.

A chain is printed innermost function first.  Its pieces belong to mechanisms: the vector, the
controller's handler, the flow handler, softirqs at the end of an interrupt, the idle loop, a
kernel thread's body, the places at which events stand.

Source: what 6.1 prints on arm64 and on ARMv7; for other releases, and for the scheduler's,
timers' and work queues' places, the callers as the source has them.
Differs: which of them a compiler inlines is as in a build of 6.1 by GCC 12, and at the places
that were read it is not known; a task's function stands in an ioctl(), whatever it waits for.
"""

from __future__ import annotations

from typing import Final

Chain = tuple[str, ...]

_KTHREAD: Final = ("kthread", "ret_from_fork")


class Entry:
    """How an architecture's release gets from a vector to the handlers, and out of it."""

    __slots__ = (
        "boot_idle",
        "call_softirq",
        "chained",
        "domain",
        "exit_user",
        "from_stack",
        "handlers",
        "has_iterators",
        "idle",
        "ipi",
        "irq_exit",
        "jumps",
        "kernel",
        "nr_hidden",
        "on_irq_stack",
        "preempt",
        "root",
        "secondary_idle",
        "softirq_body",
        "syscall",
        "syscall_exit",
        "user",
    )  # fmt: skip

    domain: Chain
    """From the root handler to the flow handler, which is not among them."""
    chained: Chain
    """The same from a chained handler to the flow handler of a line behind it."""
    handlers: Chain
    """From a flow handler to the handlers of a line."""
    root: Chain
    """The root handler and what is above the vector where the stack is the IRQ stack already."""
    from_stack: Chain
    """What the change to the IRQ stack adds behind `root`."""
    on_irq_stack: Chain
    """What is between that and the vector."""
    kernel: Chain
    """The vector, where the kernel was interrupted."""
    user: Chain
    irq_exit: Chain
    """From what runs softirqs to the vector."""
    softirq_body: Chain
    call_softirq: Chain
    """Behind the body where bottom halves are enabled again."""
    preempt: Chain
    exit_user: Chain
    ipi: Chain
    idle: Chain
    boot_idle: Chain
    secondary_idle: Chain
    syscall: Chain
    syscall_exit: Chain
    jumps: Chain
    """Functions that end in a jump to the next, which the unwinder does not see."""
    nr_hidden: int
    """How many of the innermost functions the unwinder leaves out."""
    has_iterators: bool
    """Probes are called by a function of their tracepoint's, not in line (since 5.10)."""


def entry_chains(arch: str, release: str, controller: str) -> Entry:
    """The pieces of an architecture, a release and a root controller."""
    chains = _arm64() if arch == "arm64" else _arm()
    chains.has_iterators = release != "4.19"
    chains.chained = chains.domain
    chains.handlers = ("__handle_irq_event_percpu", "handle_irq_event")
    if release in ("4.19", "5.10"):
        _before_5_16(chains, arch, release)
    if controller == "bcm2836":
        chains.root = ("bcm2836_arm_irqchip_handle_irq", *chains.root[1:])
    if release in ("4.19", "5.10"):
        chains.irq_exit = (*chains.irq_exit, *chains.root)
    if release == "6.12" and arch == "arm64":
        chains.boot_idle = ("rest_init", "start_kernel", "__primary_switched")
        chains.syscall = (*chains.syscall[:2], "el0_svc_common", *chains.syscall[3:])
    return chains


def _arm64() -> Entry:
    chains = Entry()
    chains.domain = ("handle_irq_desc", "generic_handle_domain_irq")
    chains.root = ("gic_handle_irq",)
    chains.from_stack = ("call_on_irq_stack",)
    chains.on_irq_stack = ("do_interrupt_handler",)
    chains.kernel = ("el1_interrupt", "el1h_64_irq_handler", "el1h_64_irq")
    chains.user = (
        "el0_interrupt", "__el0_irq_handler_common", "el0t_64_irq_handler", "el0t_64_irq",
    )  # fmt: skip
    own_stack = ("__do_softirq", "____do_softirq", "call_on_irq_stack", "do_softirq_own_stack")
    chains.irq_exit = (*own_stack, "__irq_exit_rcu", "irq_exit_rcu")
    chains.softirq_body = ("handle_softirqs",)
    chains.call_softirq = (*own_stack, "do_softirq.part.0", "__local_bh_enable_ip")
    chains.preempt = ("arm64_preempt_schedule_irq",)
    chains.exit_user = ("do_notify_resume",)
    chains.ipi = ("ipi_handler",)
    chains.idle = ("do_idle", "cpu_startup_entry")
    chains.boot_idle = (
        "rest_init", "arch_post_acpi_subsys_init", "start_kernel", "__primary_switched",
    )  # fmt: skip
    chains.secondary_idle = ("secondary_start_kernel", "__secondary_switched")
    chains.syscall_exit = ("el0_svc", "el0t_64_sync_handler", "el0t_64_sync")
    chains.syscall = (
        "__arm64_sys_ioctl", "invoke_syscall", "el0_svc_common.constprop.0", "do_el0_svc",
        *chains.syscall_exit,
    )  # fmt: skip
    chains.jumps = ()
    chains.nr_hidden = 0
    return chains


def _arm() -> Entry:
    chains = Entry()
    chains.domain = ("handle_irq_desc",)
    chains.root = ("gic_handle_irq", "generic_handle_arch_irq")
    chains.from_stack = ("call_with_stack",)
    chains.on_irq_stack = ()
    chains.kernel = ("__irq_svc",)
    chains.user = ("__irq_usr",)
    chains.irq_exit = ("__irq_exit_rcu", "irq_exit", "call_with_stack")
    chains.softirq_body = ("handle_softirqs",)
    chains.call_softirq = ("call_with_stack", "do_softirq_own_stack", "__local_bh_enable_ip")
    chains.preempt = ("preempt_schedule_irq", "svc_preempt")
    chains.exit_user = ("do_work_pending", "slow_work_pending")
    chains.ipi = ("do_handle_IPI", "ipi_handler")
    chains.idle = ("do_idle", "cpu_startup_entry")
    # Its unwinder goes no further: start_kernel() has no caller that it knows.
    chains.boot_idle = ("rest_init", "arch_post_acpi_subsys_init")
    # Here it ends in the code that was there before the MMU was on, by its physical address.
    chains.secondary_idle = ("secondary_start_kernel", "0x40301a20")
    chains.syscall_exit = ("ret_fast_syscall",)
    chains.syscall = ("sys_ioctl", "ret_fast_syscall")
    chains.jumps = (
        "scheduler_tick", "sched_tick", "invoke_rcu_core", "nohz_csd_func",
        "generic_smp_call_function_single_interrupt",
    )  # fmt: skip
    chains.nr_hidden = 2
    return chains


def _before_5_16(chains: Entry, arch: str, release: str) -> None:
    """__handle_domain_irq() enters and leaves around each interrupt; the vectors of arm64 are
    assembly (until 5.12), and ARMv7 has no IRQ stack (until 5.18)."""
    chains.domain = ("generic_handle_irq", "__handle_domain_irq")
    chains.chained = chains.domain[:1]
    chains.handlers = (chains.handlers[0], "handle_irq_event_percpu", "handle_irq_event")
    chains.root = ("gic_handle_irq",)
    chains.from_stack = chains.on_irq_stack = ()
    chains.softirq_body = ("__do_softirq",)
    chains.irq_exit = ("irq_exit", "__handle_domain_irq")
    chains.call_softirq = ("do_softirq", "__local_bh_enable_ip")
    chains.boot_idle = ("rest_init", "start_kernel")
    chains.secondary_idle = ("secondary_start_kernel",)
    if arch == "arm64":
        chains.kernel, chains.user = ("el1_irq",), ("el0_irq_naked",)
        chains.exit_user = ("do_notify_resume", "work_pending")
        svc = ("el0_sync_handler", "el0_sync") if release == "5.10" else ("el0_svc",)
        inner = ("do_el0_svc", "el0_svc") if release == "5.10" else ("el0_svc_handler",)
        common = "el0_svc_common.constprop.0" if release == "5.10" else "el0_svc_common"
        chains.syscall_exit = svc
        chains.syscall = ("__arm64_sys_ioctl", common, *inner, *svc)
        if release == "4.19":
            chains.preempt = ("preempt_schedule_irq",)


CHAINED: Final[dict[str, Chain]] = {
    "ArmctrlChip": ("bcm2836_chained_handle_irq",),
    "IpiChip": ("bcm2836_arm_irqchip_handle_ipi",),
    "GpioChip": ("pl061_irq_handler",),
}
"""The handler that a line's controller stands behind, by the class of its irq_chip."""

NMI_FLOWS: Final = ("handle_fasteoi_nmi", "handle_percpu_devid_fasteoi_nmi")
"""Flow handlers that call the line's handler themselves."""

THREADS: Final[tuple[tuple[str, Chain], ...]] = (
    ("ksoftirqd/", ("smpboot_thread_fn", *_KTHREAD)),
    ("ktimers/", ("smpboot_thread_fn", *_KTHREAD)),
    ("rcuc/", ("smpboot_thread_fn", *_KTHREAD)),
    ("irq_work/", ("smpboot_thread_fn", *_KTHREAD)),
    ("migration/", ("smpboot_thread_fn", *_KTHREAD)),
    ("cpuhp/", ("smpboot_thread_fn", *_KTHREAD)),
    ("kworker/", ("worker_thread", *_KTHREAD)),
    ("irq/", ("irq_thread", *_KTHREAD)),
    ("", _KTHREAD),
)
"""Kernel threads by the beginning of their names: what is below their work."""

THREAD_BODIES: Final[tuple[tuple[str, Chain], ...]] = (
    ("migration/", ("cpu_stopper_thread",)),
    ("cpuhp/", ("cpuhp_thread_fun",)),
    ("rcuc/", ("rcu_cpu_kthread",)),
    ("irq_work/", ("run_irq_workd",)),
    ("ktimers/", ("run_ktimerd",)),
    ("ksoftirqd/", ("run_ksoftirqd",)),
)
"""What runs in them, where it does not have a name of the scenario's."""

_TICK: Final = ("update_process_times", "tick_sched_handle")
_RAISE: Final = ("__raise_softirq_irqoff", "raise_softirq")

RAISED_BY_TICK: Final[dict[int, Chain]] = {
    1: (*_RAISE, *_TICK),
    7: (*_RAISE, "trigger_load_balance", "scheduler_tick", *_TICK),
    9: (*_RAISE, "invoke_rcu_core", "rcu_sched_clock_irq", *_TICK),
}
"""softirq_raise in the tick's function, by vector."""

UPDATED_BY_TICK: Final[Chain] = (
    "update_curr", "task_tick_fair", "scheduler_tick", *_TICK,
)  # fmt: skip

RAISED: Final[dict[int, Chain]] = {
    0: ("__raise_softirq_irqoff", "__tasklet_schedule_common", "__tasklet_hi_schedule"),
    3: ("__raise_softirq_irqoff", "__napi_schedule"),
    6: ("__raise_softirq_irqoff", "__tasklet_schedule_common", "__tasklet_schedule"),
}
"""softirq_raise elsewhere; the rest is raise_softirq()."""

RAISED_BY_HRTIMER: Final[Chain] = ("__raise_softirq_irqoff", "hrtimer_interrupt")
RAISED_BY_IPI: Final[Chain] = ("__raise_softirq_irqoff", "nohz_csd_func")
RAISED_ELSEWHERE: Final[Chain] = _RAISE

CALLED_BY_IPI: Final[Chain] = (
    "__flush_smp_call_function_queue", "generic_smp_call_function_single_interrupt",
)  # fmt: skip
"""Between what an IPI calls and its handler."""

ACTIONS: Final[tuple[Chain, ...]] = (
    ("tasklet_hi_action",),
    ("run_timer_softirq",),
    ("net_tx_action",),
    ("net_rx_action",),
    ("blk_done_softirq",),
    ("irq_poll_softirq",),
    ("tasklet_action",),
    ("run_rebalance_domains",),
    ("hrtimer_run_softirq",),
    ("rcu_core", "rcu_core_si"),
)
"""The function of each vector, with what it calls at once."""

HRTIMER_RUN: Final[Chain] = ("__hrtimer_run_queues",)
TIMER_RUN: Final[Chain] = ("call_timer_fn", "__run_timers.part.0")
TASKLET_RUN: Final[Chain] = ("tasklet_action_common.constprop.0",)
WAKE: Final[Chain] = ("try_to_wake_up", "wake_up_process")

PLACES: Final[dict[str, Chain]] = {
    "sched_waking": WAKE,
    "sched_wakeup": ("ttwu_do_wakeup", "ttwu_do_activate", *WAKE),
    "sched_migrate_task": ("set_task_cpu", *WAKE),
    "sched_process_exit": ("do_exit",),
    "sched_pi_setprio": ("rt_mutex_setprio",),
    "sched_stat_runtime": ("update_curr",),
    "cpu_idle": ("cpuidle_enter_state",),
    "tick_stop": ("tick_nohz_stop_tick", "tick_nohz_idle_stop_tick"),
    "hrtimer_start": ("enqueue_hrtimer", "hrtimer_start_range_ns"),
    "hrtimer_cancel": ("remove_hrtimer", "hrtimer_try_to_cancel"),
    "hrtimer_expire_entry": HRTIMER_RUN,
    "hrtimer_expire_exit": HRTIMER_RUN,
    "timer_start": ("__mod_timer", "mod_timer"),
    "timer_cancel": ("detach_if_pending", "__mod_timer", "mod_timer"),
    "timer_expire_entry": TIMER_RUN,
    "timer_expire_exit": TIMER_RUN,
    "tasklet_entry": TASKLET_RUN,
    "tasklet_exit": TASKLET_RUN,
    "workqueue_queue_work": ("__queue_work", "queue_work_on"),
    "workqueue_activate_work": ("__queue_work", "queue_work_on"),
    "workqueue_execute_start": ("process_one_work",),
    "workqueue_execute_end": ("process_one_work",),
    "napi_poll": ("__napi_poll",),
    "ipi_raise": ("smp_cross_call",),
    "ipi_send_cpu": ("smp_cross_call",),
}
"""Where an event stands, down to the function that the mechanism below it calls."""

APART: Final = (
    "irq_handler_entry", "irq_handler_exit", "napi_poll", "hrtimer_start", "hrtimer_cancel",
    "hrtimer_expire_entry", "hrtimer_expire_exit", "tick_stop", "sched_process_exit",
    "sched_stat_runtime", "cpu_idle",
)  # fmt: skip
"""Events whose tracepoint is built in another file than the code that it stands in: the
function that calls its probes, __traceiter_NAME(), is not inlined.  Source: CREATE_TRACE_POINTS
in kernel/softirq.c, kernel/sched/core.c, kernel/time/timer.c, kernel/workqueue.c, smp.c."""
