"""The laws of inter-processor interrupts: arch/arm64/kernel/smp.c, kernel/smp.c, irq_work.c."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import Outcome, device, kernel, lasting, run, run_free, table, task

RESCHEDULE = "Rescheduling interrupts"
CALL = "Function call interrupts"
WORK = "IRQ work interrupts"
IPI = ("ipi_raise", "ipi_entry", "ipi_exit")


def _events(outcome: Outcome, cpu: int) -> list[str]:
    """The lines of IPIs and their interrupts on a CPU."""
    return [
        f"{line.letters} {line.event}"
        for line in outcome.lines
        if line.cpu == cpu and (line.irq == "IPI" or line.event in IPI)
    ]


# -- what they look like -----------------------------------------------------------------


def test_an_ipi_is_an_interrupt_of_its_own_since_5_10() -> None:
    """Named IPI, its events between the two lines.  Source: ipi_handler(), do_handle_IPI()."""
    outcome = run(device("d", ["1ms"], ["smp_send_reschedule 1"]))
    assert _events(outcome, 0) == ["d.h.. ipi_raise"]
    assert _events(outcome, 1) == [
        "d.h.. irq_handler_entry",
        "d.h.. ipi_entry",
        "d.h.. ipi_exit",
        "d.h.. irq_handler_exit",
    ]
    assert outcome.one("ipi_entry").gist == RESCHEDULE


def test_an_ipi_of_4_19_has_no_interrupt_lines() -> None:
    """handle_IPI() is no irq_desc's; a reschedule does not even enter hard interrupt context.

    Source: arch/arm64/kernel/smp.c of 4.19: handle_IPI; scheduler_ipi().
    """
    outcome = run(kernel(release="4.19") + device("d", ["1ms"], ["smp_send_reschedule 1"]))
    assert _events(outcome, 1) == ["d... ipi_entry", "d... ipi_exit"]


@pytest.mark.parametrize(
    ("arch", "irqchip", "mask", "irq"),
    [("arm64", "gic-v3", "00000000,00000008", 1), ("arm", "gic-v2", "00000008", 18)],
)
def test_an_ipi_has_the_number_of_its_sgi(arch: str, irqchip: str, mask: str, irq: int) -> None:
    """From 1 on arm64, from 16 on arm, where the reschedule IPI is the third.

    Source: gic_smp_init(), ipi_types[]; __get_bitmask() in ipi_raise.
    """
    outcome = run(
        table("machine", arch=arch, irqchip=irqchip)
        + device("d", ["1ms"], ["smp_send_reschedule 3"])
    )
    assert outcome.one("ipi_raise").text == f"target_mask={mask} ({RESCHEDULE})"
    assert outcome.irqs("IPI", 3)[0].text == f"irq={irq} name=IPI"


@pytest.mark.parametrize(("release", "is_there"), [("6.1", False), ("6.6", True), ("6.12", True)])
def test_senders_are_logged_since_6_4(release: str, is_there: bool) -> None:
    """ipi_send_cpu right before ipi_raise.  Source: include/linux/trace: ipi_send_cpu."""
    outcome = run(kernel(release=release) + device("d", ["1ms"], ["smp_send_reschedule 1"]))
    events = [line.event for line in outcome.of("ipi_send_cpu", "ipi_raise")]
    assert events == ["ipi_send_cpu", "ipi_raise"][not is_there :]


def test_ipis_are_counted_by_kind_and_cpu() -> None:
    """Source: /proc/interrupts: arch_show_interrupts()."""
    outcome = run(
        device("d", ["1ms", "2ms"], ["smp_send_reschedule 1", "smp_call_function 2 1us"])
    )
    assert outcome.counts("/proc/interrupts", "IPI0") == [0, 2, 0, 0]
    assert outcome.counts("/proc/interrupts", "IPI1") == [0, 0, 2, 0]


# -- calls -------------------------------------------------------------------------------


def test_a_function_runs_in_its_targets_interrupt() -> None:
    """Between ipi_entry and ipi_exit; the sender does not wait.

    Source: generic_smp_call_function_single_interrupt().
    """
    outcome = run_free(
        device("d", ["1ms"], ["smp_call_function 2 30us", "trace_printk sent"])
    )
    assert outcome.said_at("sent") == 1000
    entry, exit_ = outcome.one("ipi_entry", CALL), outcome.one("ipi_exit", CALL)
    assert (entry.cpu, entry.time_us, exit_.time_us) == (2, 1000, 1030)


def test_functions_that_wait_share_an_ipi() -> None:
    """Only the first of an empty queue sends one.  Source: __smp_call_single_queue()."""
    outcome = run_free(
        task("a", ["local_irq_disable", "run 2ms", "local_irq_enable", "run 1us"], cpu=2)
        + device("d", ["1ms", "1100us"], ["smp_call_function 2 30us"])
    )
    assert len(outcome.of("ipi_raise", gist=CALL)) == 1
    entry, exit_ = outcome.of("ipi_entry", gist=CALL)[-1], outcome.of("ipi_exit", gist=CALL)[-1]
    assert exit_.time_us - entry.time_us == 60


def test_a_function_for_this_cpu_runs_at_once() -> None:
    """Here, with interrupts off, and without an IPI.  Source: generic_exec_single()."""
    outcome = run_free(
        task("a", ["smp_call_function 0 30us", "trace_printk after"], cpu=0, mode="kernel")
    )
    assert outcome.of("ipi_raise") == []
    assert outcome.said_at("after") == 30


def test_irq_work_runs_after_the_handler_that_queued_it() -> None:
    """An IPI to itself, taken when interrupts come on.  Source: irq_work_queue()."""
    outcome = run(device("d", ["1ms"], ["irq_work_queue 3us", "run 5us"]))
    assert outcome.one("ipi_raise").gist == WORK
    assert outcome.one("ipi_raise").text.startswith("target_mask=00000000,00000001 ")
    entry = outcome.one("ipi_entry", WORK)
    assert entry.cpu == 0
    assert entry.time_us > outcome.one("irq_handler_exit").time_us
    assert entry.letters == "d.h.."


def test_irq_work_in_a_task_runs_at_once() -> None:
    """Interrupts are on.  Source: irq_work_queue(): arch_irq_work_raise()."""
    steps = ["irq_work_queue 3us", "run 1us", "trace_printk after"]
    outcome = run_free(task("a", steps, cpu=0, mode="kernel"))
    assert outcome.said_at("after") == 4


def test_work_that_waits_sends_one_ipi() -> None:
    """The list is run as a whole.  Source: irq_work_run_list()."""
    outcome = run_free(device("d", ["1ms"], ["irq_work_queue 3us", "irq_work_queue 4us"]))
    assert len(outcome.of("ipi_raise")) == 1
    entry, exit_ = outcome.one("ipi_entry"), outcome.one("ipi_exit")
    assert exit_.time_us - entry.time_us == 7


# -- merging -----------------------------------------------------------------------------


@pytest.mark.parametrize(("irqchip", "taken"), [("gic-v2", 2), ("gic-v3", 1)])
def test_sgis_of_two_senders(irqchip: str, taken: int) -> None:
    """GICv2 keeps one pending for each source CPU, GICv3 merges them.

    Source: IHI 0048 4.4.4; IHI 0069: affinity routing.
    """
    outcome = run_free(
        table("machine", irqchip=irqchip)
        + task("a", ["local_irq_disable", "run 2ms", "local_irq_enable", "run 1us"], cpu=0)
        + device("d", ["1ms"], ["smp_send_reschedule 0"], spi=1, affinity=[1])
        + device("e", ["1ms"], ["smp_send_reschedule 0"], spi=2, affinity=[2])
    )
    assert len(outcome.of("ipi_entry", cpu=0, gist=RESCHEDULE)) == taken


@pytest.mark.parametrize("irqchip", ["gic-v2", "gic-v3"])
def test_sgis_of_one_sender_merge(irqchip: str) -> None:
    """There is one pending bit.  Source: IHI 0048 4.4.4."""
    outcome = run_free(
        table("machine", irqchip=irqchip)
        + task("a", ["local_irq_disable", "run 2ms", "local_irq_enable", "run 1us"], cpu=0)
        + device("d", ["1ms"], ["smp_send_reschedule 0"] * 3, affinity=[1])
    )
    assert len(outcome.of("ipi_raise", gist=RESCHEDULE)) == 3
    assert len(outcome.of("ipi_entry", cpu=0, gist=RESCHEDULE)) == 1


# -- waking on another CPU ---------------------------------------------------------------


def _woken_remotely(release: str, busy: bool, policy: str = "fifo") -> Outcome:
    """CPU 0 wakes the task a of CPU 1."""
    return run(
        lasting("20ms")
        + kernel(release=release)
        + task("a", ["schedule", "run 10us"], cpu=1, policy=policy)
        + (task("u", ["run 15ms"], cpu=1, start="1ms") if busy else "")
        + device("d", ["5ms"], ["wake_up_process a"])
    )


@pytest.mark.parametrize(
    ("release", "reason"),
    [("4.19", RESCHEDULE), ("5.10", CALL), ("6.1", CALL), ("6.6", CALL), ("6.12", CALL)],
)
def test_an_idle_cpu_puts_the_task_on_its_own_queue(release: str, reason: str) -> None:
    """sched_waking here, sched_wakeup there, in the IPI: the call's since 5.8.

    Source: ttwu_queue_wakelist(), sched_ttwu_pending(); scheduler_ipi() of 4.19.
    """
    outcome = _woken_remotely(release, busy=False)
    assert outcome.of("sched_waking", gist="a")[-1].cpu == 0
    wakeup = outcome.of("sched_wakeup", gist="a")[-1]
    assert wakeup.cpu == 1
    entry = outcome.of("ipi_entry", cpu=1, gist=reason)[-1]
    exit_ = outcome.of("ipi_exit", cpu=1, gist=reason)[-1]
    assert entry.time_us <= wakeup.time_us <= exit_.time_us
    assert wakeup.letters[2] == "h"


@pytest.mark.parametrize("release", ["5.10", "6.1"])
def test_a_busy_cpu_does_so_too_up_to_6_5(release: str) -> None:
    """Where the CPUs are not known to share a cache.  Source: ttwu_queue_cond() of 6.1."""
    outcome = _woken_remotely(release, busy=True)
    assert outcome.of("sched_wakeup", gist="a")[-1].cpu == 1
    assert outcome.of("ipi_raise", cpu=0)[-1].gist == CALL


@pytest.mark.parametrize("release", ["6.6", "6.12"])
def test_the_waker_enqueues_on_a_busy_cpu_since_6_6(release: str) -> None:
    """And sends a reschedule: need_resched is set there before it comes (n), then folded (N).

    Source: ttwu_queue_cond(), resched_curr(), scheduler_ipi(): preempt_fold_need_resched().
    """
    outcome = _woken_remotely(release, busy=True)
    assert outcome.of("sched_wakeup", gist="a")[-1].cpu == 0
    assert outcome.of("ipi_raise", cpu=0)[-1].gist == RESCHEDULE
    lines = [line for line in outcome.irqs("IPI", 1) if line.time_us > 5000]
    assert [line.letters for line in lines] == ["dnh..", "dNh.."]
    assert "u:R>a" in outcome.switches(1)


@pytest.mark.parametrize("release", ["6.6", "6.12"])
def test_a_wake_up_that_does_not_preempt_sends_nothing_since_6_6(release: str) -> None:
    """The task waits in the queue.  Source: wakeup_preempt()."""
    outcome = run(
        lasting("20ms")
        + kernel(release=release)
        + task("a", ["schedule", "run 10us"], cpu=1, policy="fifo", priority=10)
        + task("u", ["run 15ms"], cpu=1, start="1ms", policy="fifo", priority=60)
        + device("d", ["5ms"], ["wake_up_process a"])
    )
    assert outcome.of("ipi_raise", cpu=0) == []
    assert outcome.of("sched_wakeup", gist="a")[-1].letters == "d.h.."


def test_several_wake_ups_share_an_ipi() -> None:
    """Only the first of an empty list sends one.  Source: __ttwu_queue_wakelist()."""
    outcome = run_free(
        task("busy", ["local_irq_disable", "run 8ms", "local_irq_enable"], cpu=1, start="1ms")
        + "".join(task(name, ["schedule"], cpu=1, policy="fifo") for name in "abc")
        + device("d", ["5ms"], [f"wake_up_process {name}" for name in "abc"])
    )
    assert len(outcome.of("ipi_raise", cpu=0)) == 1
    wakeups = [line for line in outcome.of("sched_wakeup", cpu=1) if line.time_us > 5000]
    assert [line.gist for line in wakeups] == ["a", "b", "c"]


def test_the_cost_of_an_ipi_is_its_way() -> None:
    """`cost.ipi`: from sending to the signal at the target.  Source: the scenario's contract."""
    outcome = run_free(device("d", ["1ms"], ["smp_send_reschedule 1"]), "cost.ipi=7us")
    assert outcome.one("ipi_entry").time_us == 1007


def test_an_ipi_to_oneself_is_taken_before_the_next_step() -> None:
    """The sender waits for its write; and it sends with interrupts on.

    Source: gic_ipi_send_mask(): isb(); irq_work_queue().
    """
    outcome = run(
        task("a", ["irq_work_queue 3us", "trace_printk after"], cpu=0, mode="kernel")
    )
    raised, entry = outcome.one("ipi_raise"), outcome.one("ipi_entry", WORK)
    assert (raised.letters, entry.comm) == (".....", "a")
    assert entry.time_us < outcome.said_at("after")


@pytest.mark.parametrize("release", ["5.10", "6.1", "6.12"])
def test_an_ipi_that_nobody_uses_does_nothing_to_see(release: str) -> None:
    """SGI 7 is KGDB's where it has an action at all; here it comes from the registers."""
    doc = kernel(release=release) + '\n[[at]]\ntime = "1ms"\ndo = ["devmem 0x080b0200 32 0x80"]\n'
    outcome = run(doc + '[run]\nduration = "2ms"\n')
    assert not outcome.of("ipi_entry")
