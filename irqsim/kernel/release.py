"""What differs between the releases of Linux that can be simulated, as data.

A difference is a column here, never a comparison of version numbers in the code.
"""

from __future__ import annotations

from typing import Final, Literal

from attrs import frozen


@frozen
class Release:
    """One release's answers."""

    name: str
    """As `kernel.release` spells it."""
    version: str
    """What `uname -r` would say of a build of ours."""
    ipi_is_irq: bool
    """IPIs are ordinary per-CPU interrupts with an irq_desc (5.10: arm64, arm)."""
    gicv3_loops: bool
    """The GICv3 driver reads IAR again until it is spurious (until 4.20)."""
    enters_each_irq: bool
    """irq_enter() and irq_exit() are around each interrupt, not around the exception (until
    5.15)."""
    ksoftirqd_defers: bool
    """irq_exit() leaves softirqs to a ksoftirqd that is runnable (until 6.5)."""
    spurious_counts_all: bool
    """note_interrupt() counts every interrupt, not only from the first unhandled on
    (until about 5.14)."""
    folds_need_resched: bool
    """arm64 keeps PREEMPT_NEED_RESCHED beside TIF_NEED_RESCHED (since 5.0)."""
    hrtimer_cancels_first: bool
    """hrtimer_cancel is logged for a timer that expires or is moved (until late 6.1.y)."""
    tick_function: str
    """The hrtimer function that is the tick (renamed in 6.8)."""
    fair: Literal["cfs", "eevdf"]
    """The fair class's policy (EEVDF since 6.6)."""
    delays_dequeue: bool
    """A task that sleeps having had more than its share stays in the queue for a while (since
    6.12)."""
    wake_up_disables_preemption: bool
    """try_to_wake_up() holds preemption off as well as its locks (since 5.3)."""
    wake_list: Literal["reschedule", "always", "idle"]
    """A remote wake-up is queued at the target: always and announced by a reschedule IPI
    (until 5.7), always and announced by a function call IPI, or so only if the target is
    idle."""
    traces_ipi_senders: bool
    """ipi_send_cpu comes before ipi_raise (since 6.4)."""
    net_rx_looks_again: bool
    """net_rx_action() itself takes up what is scheduled while it runs, without a raise (since
    6.4)."""
    lists_freed_irqs: bool
    """/proc/interrupts has a row for a line without an action that has counted (until 6.10)."""
    fixed_affinity_errno: Literal["EIO", "EPERM"]
    """What a write to smp_affinity gets of a line that cannot be moved (EPERM since 6.12)."""
    tasklet_disable_sleeps: bool
    """tasklet_disable() sleeps until the tasklet does not run (since 5.13)."""
    msleep_adds_one: bool
    """msleep() sleeps for a jiffy more than asked for (until 6.11)."""
    irq_threads_move_at_once: bool
    """Interrupt threads are woken to follow their line as soon as it is moved, all of them
    (since 6.9)."""
    dump_has_uid: bool
    """A report names the user of the task as well, and taints in words (since 6.12)."""
    nr_taint_flags: int
    """How wide a report prints what has tainted the kernel (19 since 6.0)."""
    has_ktimers: bool
    """On PREEMPT_RT timers expire in ktimers/N (RT patches since 5.16)."""
    rt_is_lazy: bool
    """PREEMPT_RT has PREEMPT_LAZY, with columns of its own (RT patches until 6.6)."""
    idle_ends_with_irqs_off: bool
    """An idle CPU notes that it goes on before it takes the interrupt that ended its wait (since
    6.3)."""
    balances_lpis: bool
    """An LPI goes to the CPU of its affinity that has the fewest (since 5.8)."""
    resends_lpis: bool
    """An LPI that comes while its handlers run on another CPU is served after them (since 6.5);
    before, it is lost."""
    msi_domains_are_per_device: bool
    """Each PCI device has a domain of its own for its MSIs, and they count from 0 (since 6.11)."""
    nr_arm64_ipis: int
    """SGIs that arm64 requests: all eight where backtraces and KGDB have theirs (since 6.7)."""
    kthread_pids: tuple[int, int, int]
    """ksoftirqd/0, migration/0, cpuhp/0.  Behind the last the other CPUs' threads follow, five
    pids for each CPU."""
    warns_of_broken_affinity: bool
    """A line that loses the last CPU of its affinity is in the kernel log (until about 5.13)."""
    raises_block_for_the_dead: bool
    """BLOCK is raised where a CPU's requests are taken over; later they are completed at once
    (until 5.11)."""
    irq_poll_takeover_bh_off: bool
    """IRQ_POLL is raised there with bottom halves disabled (since 5.18)."""
    names_workqueues: bool
    """workqueue_queue_work prints the queue's name, not its address (since 5.13)."""
    gpio_chips_print_themselves: bool
    """GPIO controllers have irq_print_chip() (since 5.19)."""
    bcm2836_is_downstream: bool
    """On a Raspberry Pi it is the vendor's tree, with numbers of its own (4.19)."""
    tells_how_long_polled: bool
    """arm64's report of a dead CPU says how long its firmware was asked (since 5.6)."""
    arm64_pt_regs: int
    """Bytes that an exception saves on arm64: struct pt_regs (two words more since 5.10)."""
    arm64_names_levels: bool
    """arm64's vectors are named after the level and stack that they come from (since 5.14)."""
    has_own_stacks: bool
    """arm handles interrupts on a stack of each CPU (since 5.18), and so do both architectures
    softirqs wherever they are called (since 6.0)."""
    pseudo_nmi_priorities: tuple[int, int, int] | None
    """Of interrupts, of pseudo-NMIs, and the mask that keeps the first off (since 5.1; others
    since 6.11)."""


RELEASES: Final[tuple[Release, ...]] = (
    Release(
        name="4.19",
        version="4.19.0",
        ipi_is_irq=False,
        gicv3_loops=True,
        enters_each_irq=True,
        ksoftirqd_defers=True,
        spurious_counts_all=True,
        folds_need_resched=False,
        hrtimer_cancels_first=True,
        tick_function="tick_sched_timer",
        fair="cfs",
        delays_dequeue=False,
        wake_up_disables_preemption=False,
        wake_list="reschedule",
        traces_ipi_senders=False,
        net_rx_looks_again=False,
        lists_freed_irqs=True,
        fixed_affinity_errno="EIO",
        tasklet_disable_sleeps=False,
        msleep_adds_one=True,
        irq_threads_move_at_once=False,
        dump_has_uid=False,
        nr_taint_flags=18,
        has_ktimers=False,
        rt_is_lazy=True,
        idle_ends_with_irqs_off=False,
        balances_lpis=False,
        resends_lpis=False,
        msi_domains_are_per_device=False,
        nr_arm64_ipis=7,
        kthread_pids=(9, 12, 14),
        warns_of_broken_affinity=True,
        raises_block_for_the_dead=True,
        irq_poll_takeover_bh_off=False,
        names_workqueues=False,
        gpio_chips_print_themselves=False,
        bcm2836_is_downstream=True,
        tells_how_long_polled=False,
        arm64_pt_regs=320,
        arm64_names_levels=False,
        has_own_stacks=False,
        pseudo_nmi_priorities=None,
    ),
    Release(
        name="5.10",
        version="5.10.0",
        ipi_is_irq=True,
        gicv3_loops=False,
        enters_each_irq=True,
        ksoftirqd_defers=True,
        spurious_counts_all=True,
        folds_need_resched=True,
        hrtimer_cancels_first=True,
        tick_function="tick_sched_timer",
        fair="cfs",
        delays_dequeue=False,
        wake_up_disables_preemption=True,
        wake_list="always",
        traces_ipi_senders=False,
        net_rx_looks_again=False,
        lists_freed_irqs=True,
        fixed_affinity_errno="EIO",
        tasklet_disable_sleeps=False,
        msleep_adds_one=True,
        irq_threads_move_at_once=False,
        dump_has_uid=False,
        nr_taint_flags=18,
        has_ktimers=False,
        rt_is_lazy=True,
        idle_ends_with_irqs_off=False,
        balances_lpis=True,
        resends_lpis=False,
        msi_domains_are_per_device=False,
        nr_arm64_ipis=7,
        kthread_pids=(12, 14, 15),
        warns_of_broken_affinity=True,
        raises_block_for_the_dead=True,
        irq_poll_takeover_bh_off=False,
        names_workqueues=False,
        gpio_chips_print_themselves=False,
        bcm2836_is_downstream=False,
        tells_how_long_polled=True,
        arm64_pt_regs=336,
        arm64_names_levels=False,
        has_own_stacks=False,
        pseudo_nmi_priorities=(0xA0, 0x20, 0x60),
    ),
    Release(
        name="6.1",
        version="6.1.0",
        ipi_is_irq=True,
        gicv3_loops=False,
        enters_each_irq=False,
        ksoftirqd_defers=True,
        spurious_counts_all=False,
        folds_need_resched=True,
        hrtimer_cancels_first=False,
        tick_function="tick_sched_timer",
        fair="cfs",
        delays_dequeue=False,
        wake_up_disables_preemption=True,
        wake_list="always",
        traces_ipi_senders=False,
        net_rx_looks_again=False,
        lists_freed_irqs=True,
        fixed_affinity_errno="EIO",
        tasklet_disable_sleeps=True,
        msleep_adds_one=True,
        irq_threads_move_at_once=False,
        dump_has_uid=False,
        nr_taint_flags=19,
        has_ktimers=True,
        rt_is_lazy=True,
        idle_ends_with_irqs_off=False,
        balances_lpis=True,
        resends_lpis=False,
        msi_domains_are_per_device=False,
        nr_arm64_ipis=7,
        kthread_pids=(13, 15, 17),
        warns_of_broken_affinity=False,
        raises_block_for_the_dead=False,
        irq_poll_takeover_bh_off=True,
        names_workqueues=True,
        gpio_chips_print_themselves=True,
        bcm2836_is_downstream=False,
        tells_how_long_polled=True,
        arm64_pt_regs=336,
        arm64_names_levels=True,
        has_own_stacks=True,
        pseudo_nmi_priorities=(0xA0, 0x20, 0x60),
    ),
    Release(
        name="6.6",
        version="6.6.0",
        ipi_is_irq=True,
        gicv3_loops=False,
        enters_each_irq=False,
        ksoftirqd_defers=False,
        spurious_counts_all=False,
        folds_need_resched=True,
        hrtimer_cancels_first=False,
        tick_function="tick_sched_timer",
        fair="eevdf",
        delays_dequeue=False,
        wake_up_disables_preemption=True,
        wake_list="idle",
        traces_ipi_senders=True,
        net_rx_looks_again=True,
        lists_freed_irqs=True,
        fixed_affinity_errno="EIO",
        tasklet_disable_sleeps=True,
        msleep_adds_one=True,
        irq_threads_move_at_once=False,
        dump_has_uid=False,
        nr_taint_flags=19,
        has_ktimers=True,
        rt_is_lazy=True,
        idle_ends_with_irqs_off=True,
        balances_lpis=True,
        resends_lpis=True,
        msi_domains_are_per_device=False,
        nr_arm64_ipis=7,
        kthread_pids=(16, 20, 21),
        warns_of_broken_affinity=False,
        raises_block_for_the_dead=False,
        irq_poll_takeover_bh_off=True,
        names_workqueues=True,
        gpio_chips_print_themselves=True,
        bcm2836_is_downstream=False,
        tells_how_long_polled=True,
        arm64_pt_regs=336,
        arm64_names_levels=True,
        has_own_stacks=True,
        pseudo_nmi_priorities=(0xA0, 0x20, 0x60),
    ),
    Release(
        name="6.12",
        version="6.12.0",
        ipi_is_irq=True,
        gicv3_loops=False,
        enters_each_irq=False,
        ksoftirqd_defers=False,
        spurious_counts_all=False,
        folds_need_resched=True,
        hrtimer_cancels_first=False,
        tick_function="tick_nohz_handler",
        fair="eevdf",
        delays_dequeue=True,
        wake_up_disables_preemption=True,
        wake_list="idle",
        traces_ipi_senders=True,
        net_rx_looks_again=True,
        lists_freed_irqs=False,
        fixed_affinity_errno="EPERM",
        tasklet_disable_sleeps=True,
        msleep_adds_one=False,
        irq_threads_move_at_once=True,
        dump_has_uid=True,
        nr_taint_flags=19,
        has_ktimers=False,
        rt_is_lazy=False,
        idle_ends_with_irqs_off=True,
        balances_lpis=True,
        resends_lpis=True,
        msi_domains_are_per_device=True,
        nr_arm64_ipis=8,
        kthread_pids=(16, 20, 21),
        warns_of_broken_affinity=False,
        raises_block_for_the_dead=False,
        irq_poll_takeover_bh_off=True,
        names_workqueues=True,
        gpio_chips_print_themselves=True,
        bcm2836_is_downstream=False,
        tells_how_long_polled=True,
        arm64_pt_regs=336,
        arm64_names_levels=True,
        has_own_stacks=True,
        pseudo_nmi_priorities=(0xC0, 0x80, 0xC0),
    ),
)


def release_named(name: str) -> Release:
    """The release of that name.  Raises KeyError for one that is not in the table."""
    for release in RELEASES:
        if release.name == name:
            return release
    raise KeyError(name)
