"""CPUs that go and come: what an operator sees of it."""

from __future__ import annotations

import pytest

from irqsim.proc.errno import FileError
from tests.kernel_scenarios import device, run, table, task

ONLINE = "/sys/devices/system/cpu/cpu{}/online"


def _at(time: str, *commands: str) -> str:
    words = ", ".join(f'"{command}"' for command in commands)
    return f'[[at]]\ntime = "{time}"\ndo = [{words}]\n'


def _switch(cpu: int, is_on: bool) -> str:
    return f"echo {int(is_on)} > {ONLINE.format(cpu)}"


def _text(*ats: str, cpus: int = 3, duration: str = "20ms", **kernel: str | int) -> str:
    return (
        table("run", duration=duration)
        + table("machine", cpus=cpus)
        + table("kernel", **kernel)
        + "".join(ats)
    )


def test_the_shell_goes_on_when_the_cpu_is_gone() -> None:
    """What is typed behind it sees the machine without the CPU, under the time of typing.

    Source: drivers/base/core.c: online_store() returns when device_offline() is over.
    """
    at = _at("5ms", _switch(1, False), "cat /proc/interrupts", "cat /proc/softirqs")
    outcome = run(_text(at))
    shown = {path: (when, text) for when, path, text in outcome.simulation.snapshots}
    when, interrupts = shown["/proc/interrupts"]
    assert when == 5_000_000
    assert interrupts.split("\n")[0].split() == ["CPU0", "CPU2"]
    assert shown["/proc/softirqs"][1].split("\n")[0].split() == ["CPU0", "CPU1", "CPU2"]


def test_the_last_cpu_stays() -> None:
    """Source: kernel/cpu.c: cpu_down_maps_locked(): -EBUSY."""
    outcome = run(_text(_at("5ms", _switch(0, False), _switch(1, False)), cpus=2))
    assert [cpu.is_online for cpu in outcome.simulation.kernel.cpus] == [False, True]
    assert outcome.simulation.read_file("/sys/devices/system/cpu/online") == "1\n"
    with pytest.raises(FileError, match="Device or resource busy"):
        outcome.simulation.files.write(ONLINE.format(1), "0\n")


def test_a_cpu_that_is_there_already_stays_as_it_is() -> None:
    """Neither write does anything.  Source: drivers/base/core.c: device_online()."""
    outcome = run(_text(_at("5ms", _switch(1, True)), _at("6ms", _switch(1, False)),
                        _at("7ms", _switch(1, False))))  # fmt: skip
    assert outcome.simulation.dmesg().count("killed") == 1
    assert "Booted" not in outcome.simulation.dmesg()


@pytest.mark.parametrize(
    ("release", "arch", "killed"),
    [
        ("4.19", "arm64", "psci: CPU1 killed."),
        ("6.1", "arm64", "psci: CPU1 killed (polled 0 ms)"),
        ("6.1", "arm", "CPU1 killed."),
    ],
)
def test_the_kernel_log_tells_of_a_cpu_that_went(release: str, arch: str, killed: str) -> None:
    """Source: arch/arm64/kernel/psci.c: cpu_psci_cpu_kill; arch/arm/kernel/psci_smp.c."""
    text = _text(_at("5ms", _switch(1, False)), release=release)
    outcome = run(text.replace("[machine]\n", f'[machine]\narch = "{arch}"\n'))
    assert [line.partition("] ")[2] for line in outcome.simulation.dmesg().splitlines()] == [killed]


@pytest.mark.parametrize(("release", "is_told"), [("5.10", True), ("6.1", False)])
def test_an_affinity_that_is_broken_stays_so(release: str, is_told: bool) -> None:
    """The line gets all CPUs that are online, and does not return with its own.

    Source: kernel/irq/cpuhotplug.c: migrate_one_irq; irq_restore_affinity_of_irq, which is
    for managed interrupts.
    """
    ats = _at("5ms", _switch(1, False)), _at("12ms", _switch(1, True))
    text = _text(*ats, release=release) + device("d", ["1ms", "8ms", "15ms"], [], affinity=[1])
    outcome = run(text)
    entries = [line for line in outcome.of("irq_handler_entry") if "name=d" in line.text]
    assert [line.cpu for line in entries] == [1, 0, 0]
    assert outcome.simulation.read_file("/proc/irq/d/smp_affinity") == "5\n"
    told = "IRQ 13: no longer affine to CPU1" in outcome.simulation.dmesg()
    assert told == is_told


def test_an_affinity_of_which_something_is_left_is_kept() -> None:
    """The next of its CPUs serves the line.  Source: kernel/irq/cpuhotplug.c: migrate_one_irq."""
    text = _text(_at("5ms", _switch(1, False))) + device("d", ["8ms"], [], affinity=[1, 2])
    outcome = run(text)
    assert outcome.simulation.read_file("/proc/irq/d/smp_affinity") == "6\n"
    assert outcome.simulation.read_file("/proc/irq/d/effective_affinity") == "4\n"


def test_a_process_that_loses_its_cpu_may_use_all() -> None:
    """The kernel log says so.  Source: kernel/sched/core.c: select_fallback_rq."""
    text = _text(_at("5ms", _switch(1, False))) + task("t", ["run 10ms"], cpu=1, start="1ms")
    outcome = run(text)
    assert "process 100 (t) no longer affine to cpu1" in outcome.simulation.dmesg()
    assert [line.cpu for line in outcome.of("sched_process_exit")] == [0]


def test_a_cpu_that_has_come_back_ticks() -> None:
    """Its task is interrupted on every jiffy.  Source: kernel/time/tick-sched.c."""
    ats = _at("5ms", _switch(1, False)), _at("9ms", _switch(1, True))
    late = task("t", ["run 8ms"], cpu=1, start="10ms")
    outcome = run(_text(*ats, duration="19ms", hz=1000) + late)
    assert len(outcome.of("hrtimer_expire_entry", cpu=1)) >= 7


def test_a_vector_that_nobody_takes_over_runs_elsewhere() -> None:
    """ksoftirqd waits behind a FIFO task with NET_RX when its CPU goes.

    Source: the model's own rule: a real kernel runs it when the CPU comes back.
    """
    text = _text(_at("5ms", _switch(1, False))) + '[softirq]\nNET_RX = ["run 5us"]\n'
    hog = task("hog", ["raise_softirq NET_RX", "run 8ms"], cpu=1, policy="fifo", start="2ms")
    entries = run(text + hog).of("softirq_entry")
    assert [line.cpu for line in entries if "NET_RX" in line.text] == [0]


def test_tasklets_timers_and_works_are_taken_over() -> None:
    """What waits on the CPU when it goes is done on another, once.

    Source: kernel/softirq.c: takeover_tasklets; kernel/time/timer.c: timers_dead_cpu;
    kernel/time/hrtimer.c: hrtimers_cpu_dying; kernel/workqueue.c: workqueue_offline_cpu.
    """
    text = _text(_at("5ms", _switch(1, False)), duration="30ms")
    text += '[[tasklet]]\nname = "t"\ndisabled = true\nrun = ["run 1us"]\n'
    text += '[[timer]]\nname = "w"\ncpu = 1\nexpires = "9ms"\nrun = ["run 1us"]\n'
    text += '[[hrtimer]]\nname = "h"\ncpu = 1\nexpires = "7ms"\nrun = ["run 1us"]\n'
    text += '[[work]]\nname = "k"\nrun = ["run 1us"]\n'
    # ksoftirqd/1 turns in vain, the worker waits behind a FIFO task.
    text += task("idler", ["tasklet_schedule t"], cpu=1, start="1ms")
    text += task("hog", ["queue_work k", "run 8ms"], cpu=1, policy="fifo", start="2ms")
    text += task("enabler", ["tasklet_enable t"], cpu=0, policy="fifo", start="8ms")
    outcome = run(text)
    for event in ("tasklet_entry", "timer_expire_entry", "workqueue_execute_start"):
        lines = [line for line in outcome.of(event) if "work_for_cpu_fn" not in line.text]
        assert [line.cpu for line in lines] == [0], event
    hrtimers = [line for line in outcome.of("hrtimer_expire_entry") if "function=h " in line.text]
    assert [line.cpu for line in hrtimers] == [0]
