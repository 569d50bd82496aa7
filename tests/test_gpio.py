"""GPIO controllers: chained behind a line, and expanders in a thread.

Source: drivers/gpio/gpio-pl061.c, gpio-pca953x.c; kernel/irq/chip.c: handle_nested_irq.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from irqsim.errors import ScenarioError
from irqsim.events import IRQ_HANDLER_ENTRY, PRINT
from irqsim.hw.gpio import Gpio
from irqsim.kernel.irq.handle import handle_edge_irq, handle_level_irq, handle_simple_irq
from irqsim.proc.errno import FileError
from irqsim.scenario.reader import read_text
from irqsim.simulation import build
from tests.simulations import Outcome, simulate

HEAD = '[run]\nduration = "9ms"\n[kernel]\nrcu = false\n[trace]\nevents = ["irq"]\n'
CHAINED = '[[gpio]]\nname = "g"\nspi = 7\n'
EXPANDER = (
    '[[gpio]]\nname = "x"\ndevice = "chip"\nlines = 16\n'
    '[[device]]\nname = "chip"\nspi = 3\nflags = ["IRQF_ONESHOT"]\nthread = ["run 100us"]\n'
)


def device(name: str, line: str, *times: str, more: str = 'handler = ["run 3us"]') -> str:
    return f'[[device]]\nname = "{name}"\ngpio = {line}\narrivals = {list(times)}\n{more}\n'


def names_of(outcome: Outcome) -> list[str]:
    """The handlers that began, but for the timer's."""
    found = [event for _, _, event in outcome.records if event.tracepoint is IRQ_HANDLER_ENTRY]
    return [str(each.values[1]) for each in found if each.values[1] != "arch_timer"]


def marks_of(outcome: Outcome) -> list[tuple[int, int, str]]:
    """When (in us), in which task, and what trace_printk wrote."""
    return [
        (time_ns // 1000, context.pid, str(event.values[1]))
        for time_ns, context, event in outcome.records
        if event.tracepoint is PRINT
    ]


def test_the_lowest_line_is_served_first_in_one_interrupt() -> None:
    """for_each_set_bit(): the lines that were pending when the register was read."""
    lines = [("c", 5), ("a", 0), ("b", 3)]
    devices = [device(name, f'["g", {line}]', "1ms") for name, line in lines]
    outcome = simulate(HEAD + CHAINED + "".join(devices))
    assert names_of(outcome) == ["a", "b", "c"]
    times = [time_ns for time_ns, _, _ in outcome.records]
    # Each begins where the one before ended: the interrupt is not left between them.
    assert times[1:5:2] == times[2:6:2]


def test_the_parent_is_in_no_log_and_in_no_row() -> None:
    """It has a number of its own, the one before; the files of sysfs alone know it."""
    outcome = simulate(HEAD + CHAINED + device("key", '["g", 3]', "1ms"))
    files = outcome.sim.files
    irq = outcome.sim.machine.line_of("key").irq
    assert f" {irq - 1}:" not in files.read("/proc/interrupts")
    assert files.read(f"/sys/kernel/irq/{irq - 1}/hwirq") == "39\n"
    assert files.read(f"/sys/kernel/irq/{irq - 1}/actions") == "(null)\n"
    assert files.read(f"/sys/kernel/irq/{irq - 1}/per_cpu_count") == "0,0,0,0\n"
    assert names_of(outcome) == ["key"]


def test_a_real_key_has_the_same_lines_and_files(reference: Path) -> None:
    """The power key of a virt machine: its row, its entry and exit, its files."""
    text = HEAD + CHAINED + 'label = "9030000.pl061"\n'
    key = device("GPIO Key Poweroff", '["g", 3]', "1ms", more='trigger = "edge"\nirq = 34')
    outcome = simulate(text + key)
    folder = reference / "captures" / "arm64-gicv3-4cpu-gpio-powerkey"
    row = next(
        line for line in (folder / "proc_interrupts").read_text().splitlines() if "pl061" in line
    )
    assert row in outcome.sim.files.read("/proc/interrupts").splitlines()
    traced = re.compile(r"irq_handler_entry: irq=34 .*|irq_handler_exit: irq=34 .*")
    real = traced.findall((folder / "trace").read_text(encoding="utf-8"))
    assert traced.findall(outcome.text()) == real[:2]
    sysfs = (folder / "sys_kernel_irq.txt").read_text(encoding="utf-8")
    for name in ("actions", "chip_name", "hwirq", "type", "wakeup"):
        path = f"/sys/kernel/irq/34/{name}"
        assert f"{path}: {outcome.sim.files.read(path)}" in sysfs


@pytest.mark.parametrize(
    ("trigger", "flow", "handler"),
    [
        ("edge", "by-trigger", handle_edge_irq),
        ("level", "by-trigger", handle_level_irq),
        ("edge", "simple", handle_simple_irq),
        ("level", "simple", handle_simple_irq),
    ],
)
def test_the_flow_follows_the_trigger(trigger: str, flow: str, handler: object) -> None:
    """irq_set_type() chooses the flow handler; a simple one stays; each runs once per arrival."""
    text = HEAD + CHAINED + f'flow = "{flow}"\n'
    more = f'trigger = "{trigger}"\nhandler = ["run 3us"]'
    outcome = simulate(text + device("d", '["g", 1]', "1ms", "2ms", more=more))
    desc = outcome.sim.machine.line_of("d")
    assert desc.handle_irq is handler
    assert (desc.tot_count, desc.is_level) == (2, trigger == "level")


def test_an_edge_while_the_line_is_disabled_is_replayed_by_a_tasklet() -> None:
    """The controller cannot make it pending: resend_irqs() runs the flow handler, once."""
    task = (
        '[[task]]\nname = "t"\nstart = "500us"\n'
        'run = ["disable_irq d", "run 3ms", "enable_irq d", "run 1ms"]\n'
    )
    more = 'trigger = "edge"'
    outcome = simulate(HEAD + CHAINED + device("d", '["g", 1]', "1ms", more=more) + task)
    assert names_of(outcome)[-1:] == ["d"]
    assert outcome.sim.machine.line_of("d").tot_count == 1
    raised = [event for _, _, event in outcome.records if event.tracepoint.name == "softirq_raise"]
    assert [each.values[0] for each in raised] == [6]


def test_a_line_is_served_where_its_parent_is() -> None:
    """It cannot be moved; when the CPU goes that its parent goes to, both go."""
    text = HEAD + "[machine]\ncpus = 2\n" + CHAINED + device("d", '["g", 1]', "1ms", "3ms")
    text += '[[at]]\ntime = "2ms"\ndo = ["echo 0 > /sys/devices/system/cpu/cpu0/online"]\n'
    sim = build(read_text(text), lambda records: None)
    with pytest.raises(FileError, match="Input/output error"):
        sim.files.write("/proc/irq/d/smp_affinity", "2\n")
    assert simulate(text).sim.machine.line_of("d").kstat_irqs == [1, 1]


# -- expanders ---------------------------------------------------------------------------


def expanded(*devices: str, chip: str = EXPANDER) -> Outcome:
    return simulate(HEAD + chip + "".join(devices))


def marked(name: str, line: int, *times: str, more: str = "") -> str:
    steps = f'thread = ["trace_printk {name}", "run 50us"]\n{more}'
    return device(name, f'["x", {line}]', *times, more=steps)


def test_nested_lines_run_in_the_thread_of_the_expander() -> None:
    """One behind the other, lowest first, behind what the thread does itself; no handler."""
    outcome = expanded(marked("b", 9, "1ms"), marked("a", 2, "1ms"))
    machine = outcome.sim.machine
    thread = machine.line_of("chip").actions[0].thread
    assert thread is not None
    assert names_of(outcome) == ["chip"]
    times, pids, words = zip(*marks_of(outcome), strict=True)
    assert words == ("a", "b")
    assert set(pids) == {thread.pid}
    assert times[1] - times[0] == 50
    assert [machine.line_of(name).tot_count for name in ("chip", "a", "b")] == [1, 1, 1]
    assert machine.line_of("a").actions[0].thread is None


def test_what_comes_behind_the_read_makes_the_expander_interrupt_again() -> None:
    """An edge that comes while the thread serves others is not lost."""
    outcome = expanded(marked("a", 2, "1ms", more='trigger = "edge"'),
                       marked("b", 9, "1120us", more='trigger = "edge"'))  # fmt: skip
    assert names_of(outcome) == ["chip", "chip"]
    assert [words for _, _, words in marks_of(outcome)] == ["a", "b"]


def test_a_level_that_stays_high_is_served_again() -> None:
    """The expander's line follows its lines: a device that is never quieted keeps it busy."""
    outcome = expanded(marked("a", 2, "1ms", more='ack = "never"'))
    assert len(marks_of(outcome)) > 10
    assert len(names_of(outcome)) - len(marks_of(outcome)) in (0, 1)


def test_a_disabled_nested_line_is_not_served() -> None:
    """IRQS_PENDING, and nobody replays it: it has no parent that would."""
    task = (
        '[[task]]\nname = "t"\nstart = "500us"\n'
        'run = ["disable_irq a", "run 3ms", "enable_irq a", "run 1ms"]\n'
    )
    outcome = expanded(marked("a", 2, "1ms", "6ms", more='trigger = "edge"'), task)
    assert [time for time, _, _ in marks_of(outcome)] == [6109]


def test_a_nested_handler_never_runs() -> None:
    """irq_nested_primary_handler() stands in its place."""
    outcome = expanded(marked("a", 2, "1ms", more='handler = ["trace_printk handler"]'))
    assert [words for _, _, words in marks_of(outcome)] == ["a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[gpio]]\nname = "g"\n', "missing key: one of spi, bank, device"),
        (CHAINED + 'device = "d"\n' + device("d", '["g", 1]'), "its line is given twice"),
        (CHAINED + device("d", '["g", 1]', more="affinity = [1]"), "is not moved"),
        (CHAINED + '[[device]]\nname = "d"\nspi = 7\n', "-EINVAL: the line belongs to a chained"),
        (EXPANDER + device("d", '["x", 1]'), "-EINVAL: a line that is served in a thread needs"),
        (EXPANDER.replace('"chip"\nlines', '"chip"\nflow = "simple"\nlines'), "no flow handler"),
        (
            '[[gpio]]\nname = "x"\ndevice = "d"\n[[device]]\nname = "d"\nspi = 3\n',
            "'d' has no interrupt thread",
        ),
        (
            '[[gpio]]\nname = "x"\ndevice = "d"\n'
            '[[device]]\nname = "d"\ngpio = ["x", 1]\nthread = []\n',
            "'d' is behind 'x' itself",
        ),
        ('[[gpio]]\nname = "g"\nbank = [1, 1]\n', "'bank' is a line of bcm2836"),
    ],
)
def test_what_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(message)):
        read_text(HEAD + text)


# -- the hardware ------------------------------------------------------------------------


def test_the_output_is_high_while_a_line_is_pending_and_not_masked() -> None:
    """GPIOMIS: latched edges count masked or not, and show when they are unmasked."""
    seen: list[bool] = []
    gpio = Gpio(8, seen.append)
    gpio.set_level(2, True)
    assert gpio.pulse(1)
    assert not gpio.pulse(1)
    gpio.set_line(2, True)
    assert (seen, gpio.pending()) == ([], 0)
    gpio.set_enabled(1, True)
    gpio.set_enabled(2, True)
    assert (seen, gpio.pending()) == ([True], 0b110)
    gpio.clear(0b110)
    assert (seen, gpio.pending()) == ([True], 0b100)
    gpio.set_line(2, False)
    assert (seen, gpio.pending()) == ([True, False], 0)

