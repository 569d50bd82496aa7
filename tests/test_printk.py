"""The laws of the kernel log: kernel/printk/printk.c, kernel/panic.c."""

from __future__ import annotations

import pytest

from irqsim.kernel.printk import (
    KERN_EMERG,
    KERN_ERR,
    KERN_INFO,
    KERN_WARNING,
    format_line,
    printk,
    warn,
)
from irqsim.scenario.reader import read_text
from irqsim.simulation import Simulation, build
from tests.kernel_scenarios import device, run


def _simulation() -> tuple[Simulation, list[str]]:
    """A machine that has not run, and its console."""
    console: list[str] = []
    simulation = build(read_text(device("d", ["1ms"], ["run 1us"])), lambda records: None)
    simulation.on_console = console.append
    return simulation, console


@pytest.mark.parametrize(
    ("time_ns", "stamp"),
    [
        (0, "[    0.000000] "),
        (1_000, "[    0.000001] "),
        (1_999, "[    0.000001] "),
        (10_001_000, "[    0.010001] "),
        (99_999_999_999, "[   99.999999] "),
        (123_456_000_000_000, "[123456.000000] "),
    ],
)
def test_the_stamp_is_seconds_and_microseconds_cut_off(time_ns: int, stamp: str) -> None:
    """"[%5lu.%06lu] ".  Source: print_time()."""
    assert format_line(time_ns, "words") == f"{stamp}words"


@pytest.mark.parametrize(
    ("level", "is_shown"),
    [(KERN_EMERG, True), (KERN_ERR, True), (KERN_WARNING, True), (KERN_INFO, False)],
)
def test_warnings_and_worse_reach_the_console(level: int, is_shown: bool) -> None:
    """All reach the log.  Source: suppress_message_printing(): loglevel=5."""
    simulation, console = _simulation()
    printk(simulation.kernel, level, "words")
    assert simulation.dmesg() == "[    0.000000] words\n"
    assert console == (["[    0.000000] words"] if is_shown else [])


def test_each_line_of_a_message_has_its_stamp() -> None:
    """Source: record_print_text(): prefix for every line."""
    simulation, _ = _simulation()
    printk(simulation.kernel, KERN_ERR, "one\ntwo")
    assert simulation.dmesg().splitlines() == ["[    0.000000] one", "[    0.000000] two"]


def test_the_log_has_the_time_of_the_trace_clock() -> None:
    """`run.clock` is what both begin with."""
    outcome = run(device("d", ["1ms"], ["return IRQ_WAKE_THREAD"]), "run.clock=100s")
    assert outcome.simulation.dmesg().startswith("[  100.001")


def test_a_warning_is_a_block() -> None:
    """Cut here, the words, the place, who ran, the end.  Source: kernel/panic.c: __warn."""
    simulation, _ = _simulation()
    k = simulation.kernel
    warn(k, k.cpus[2], "kernel/irq/manage.c free_irq", "words")
    lines = [text for _, _, text in k.dmesg]
    assert lines[0] == "------------[ cut here ]------------"
    assert lines[1] == "words"
    assert lines[2].startswith("WARNING: CPU: 2 PID: 0 at kernel/irq/manage.c")
    assert lines[-3].startswith("CPU: 2 ")
    assert lines[-2] == "Hardware name: linux,dummy-virt (DT)"
    assert lines[-1] == "---[ end trace 0000000000000000 ]---"


def test_a_quiet_run_says_nothing() -> None:
    """dmesg is what went wrong."""
    assert run(device("d", ["1ms"], ["run 1us"])).dmesg == []
