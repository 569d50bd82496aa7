"""What an operator types while the machine runs."""

from __future__ import annotations

import pytest

from irqsim.events import PRINT, Record
from tests.simulations import BUSY, TRACING, Outcome, at, simulate


def served_on(records: list[Record], name: str) -> list[tuple[int, int]]:
    """When and where the handlers of that name ran, in ms and CPUs."""
    return [
        (time_ns // 1_000_000, who.cpu)
        for time_ns, who, what in records
        if what.tracepoint.name == "irq_handler_entry" and what["name"] == name
    ]


def test_an_affinity_holds_from_its_instant_on() -> None:
    """At one instant the operator comes first, then the hardware."""
    moves = at("10ms", "echo 4 > /proc/irq/eth0/smp_affinity") + at(
        "20ms", "echo 3 > /proc/irq/eth0/smp_affinity_list"
    )
    places = dict(served_on(simulate(BUSY + moves).records, "eth0"))
    assert [places[ms] for ms in (1, 9, 10, 19, 20, 29)] == [0, 0, 2, 2, 3, 3]


def test_snapshots_are_kept_in_order_as_they_were_typed() -> None:
    commands = at("20ms", "cat /proc/irq/eth0/effective_affinity") + at(
        "10ms", "cat /proc/interrupts /sys/kernel/debug/tracing/tracing_on"
    )
    outcome = simulate(BUSY + commands)
    assert [(when, path) for when, path, _ in outcome.sim.snapshots] == [
        (10_000_000, "/proc/interrupts"),
        (10_000_000, "/sys/kernel/debug/tracing/tracing_on"),
        (20_000_000, "/proc/irq/eth0/effective_affinity"),
    ]
    assert [text for _, _, text in outcome.sim.snapshots[1:]] == ["1\n", "1\n"]
    assert outcome.sim.snapshots[0][2].splitlines()[2].split()[1] == "9"
    assert outcome.console == []


def test_commands_of_one_instant_come_in_the_order_of_the_file() -> None:
    outcome = simulate(
        BUSY
        + at("1ms", "echo 2 > /proc/irq/eth0/smp_affinity", "cat /proc/irq/eth0/smp_affinity")
        + at("1ms", "echo 8 > /proc/irq/eth0/smp_affinity", "cat /proc/irq/eth0/smp_affinity")
    )
    assert [text for _, _, text in outcome.sim.snapshots] == ["2\n", "8\n"]


def test_what_fails_is_said_as_a_shell_says_it_and_the_run_goes_on() -> None:
    outcome = simulate(
        BUSY
        + at(
            "10ms",
            "echo 0 > /proc/irq/eth0/smp_affinity",
            "cat /proc/nothing",
            "echo 1 > /proc/nothing",
            "echo 1 > /sys/kernel/irq/eth0/type",
            "cat /proc/irq",
            "echo 2 > /proc/irq/eth0/smp_affinity",
        )
    )
    assert outcome.console == [
        "irqsim: at 0.010000: echo 0 > /proc/irq/eth0/smp_affinity: write error: Invalid argument",
        "irqsim: at 0.010000: cat: /proc/nothing: No such file or directory",
        "irqsim: at 0.010000: echo 1 > /proc/nothing: No such file or directory",
        "irqsim: at 0.010000: echo 1 > /sys/kernel/irq/eth0/type: Permission denied",
        "irqsim: at 0.010000: cat: /proc/irq: Is a directory",
    ]
    assert outcome.sim.read_file("/proc/irq/eth0/smp_affinity") == "2\n"
    assert served_on(outcome.records, "eth0")[-1] == (29, 1)


def test_a_command_after_the_end_is_not_given() -> None:
    outcome = simulate(BUSY + at("30ms", "cat /proc/nothing"))
    assert outcome.console == []


def test_a_command_keeps_a_machine_going_that_has_no_end() -> None:
    quiet = '[[device]]\nname = "a"\nspi = 1\narrivals = ["1ms"]\n'
    outcome = simulate(quiet + at("1s", "cat /proc/irqsim"))
    assert [when for when, _, _ in outcome.sim.snapshots] == [1_000_000_000]


def test_a_marker_is_a_line_of_the_shell() -> None:
    outcome = simulate(BUSY + at("10ms", f"echo hello there > {TRACING}/trace_marker"))
    (marker,) = [record for record in outcome.records if record[2].tracepoint is PRINT]
    time_ns, who, what = marker
    assert (time_ns, who.comm, who.cpu, who.flags) == (10_000_000, "sh", 0, 0)
    assert what.values == ("tracing_mark_write", "hello there")
    line = "              sh-99      [000] .....     0.010000: tracing_mark_write: hello there"
    assert line in outcome.text().splitlines()


def test_the_shell_has_a_pid_of_its_own() -> None:
    task = '[[task]]\nname = "init"\npid = 99\nrun = ["run 1us"]\n'
    outcome = simulate(task + at("1ms", f"echo > {TRACING}/trace_marker"))
    assert [who.pid for _, who, what in outcome.records if what.tracepoint is PRINT] == [98]


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (f"echo 0 > {TRACING}/tracing_on", "Bad file descriptor"),
        (f"echo nomarkers > {TRACING}/trace_options", "Invalid argument"),
    ],
)
def test_a_marker_is_refused(before: str, reason: str) -> None:
    """Source: what a 6.18 kernel says to these."""
    outcome = simulate(BUSY + at("10ms", before, f"echo x > {TRACING}/trace_marker"))
    assert outcome.console[0].endswith(f"trace_marker: write error: {reason}")
    assert not [record for record in outcome.records if record[2].tracepoint is PRINT]


def test_nothing_is_recorded_while_tracing_is_off() -> None:
    outcome = simulate(
        BUSY
        + at("10ms", f"echo 0 > {TRACING}/tracing_on")
        + at("20ms", f"echo 1 > {TRACING}/tracing_on", f"cat {TRACING}/tracing_on")
    )
    times = [ms for ms, _ in served_on(outcome.records, "eth0")]
    assert times == [*range(1, 10), *range(20, 30)]
    # They were served all the same.
    assert outcome.sim.read_file("/proc/interrupts").splitlines()[2].split()[1] == "29"


def test_events_are_switched_while_the_machine_runs() -> None:
    outcome = simulate(
        BUSY
        + at("10ms", f"echo irq:softirq_entry > {TRACING}/set_event")
        + at("15ms", f"echo irq:irq_handler_exit >> {TRACING}/set_event")
        + at("20ms", f"echo 0 > {TRACING}/events/irq/softirq_entry/enable")
    )
    names = [
        (time_ns // 5_000_000, what.tracepoint.name) for time_ns, _, what in outcome.records
    ]
    seen = {slot: sorted(dict.fromkeys(n for s, n in names if s == slot)) for slot in (2, 3, 4, 5)}
    assert seen == {
        2: ["softirq_entry"],
        3: ["irq_handler_exit", "softirq_entry"],
        4: ["irq_handler_exit"],
        5: ["irq_handler_exit"],
    }


def test_the_trace_can_be_read_as_it_stands() -> None:
    outcome = simulate(BUSY + at("10ms", f"cat {TRACING}/trace"))
    ((_, _, early),) = outcome.sim.snapshots
    lines = early.splitlines()
    late = outcome.text().splitlines()
    body = [line for line in lines if not line.startswith("#")]
    assert body == late[: len(body)]
    assert 0 < len(body) < len(late)
    assert lines[2] == f"# entries-in-buffer/entries-written: {len(body)}/{len(body)}   #P:4"


def test_an_emptied_trace_holds_what_comes_after() -> None:
    """Opening it for writing is what empties it: `>>` does not."""
    for redirect, is_emptied in ((">", True), (">>", False)):
        outcome = simulate(
            BUSY
            + at("10ms", f"echo {redirect} {TRACING}/trace", f"cat {TRACING}/trace")
            + at("20ms", f"cat {TRACING}/trace"),
            reads=(f"{TRACING}/trace",),
        )
        first = 10 if is_emptied else 1
        assert served_on(outcome.records, "eth0")[0] == (first, 0)
        assert outcome.sim.entries_in_buffer == len(outcome.records)
        assert ("0/0" in outcome.sim.snapshots[0][2]) is is_emptied
        text = outcome.sim.text_format()
        whole = outcome.sim.header(text) + text.lines(outcome.records) + text.finish()
        assert outcome.sim.read_file(f"{TRACING}/trace") == whole


def test_options_change_how_the_trace_is_printed() -> None:
    outcome = simulate(
        BUSY
        + at("10ms", f"echo noirq-info > {TRACING}/trace_options", f"cat {TRACING}/trace")
        + at("20ms", f"echo 1 > {TRACING}/options/record-tgid", f"cat {TRACING}/trace")
        + at("25ms", f"echo 1 > {TRACING}/options/irq-info")
    )
    early, late = (text for _, _, text in outcome.sim.snapshots)
    assert "irqs-off" not in early
    assert "TGID" not in early
    assert "irqs-off" not in late
    assert "TGID" in late
    assert "irqs-off" in outcome.sim.header(outcome.sim.text_format())
    assert [name for name in ("irq-info", "record-tgid") if name in outcome.sim.trace_options] == [
        "irq-info",
        "record-tgid",
    ]


def test_the_default_affinity_is_of_lines_that_start_later() -> None:
    outcome = simulate(
        """\
[run]
duration = "10ms"
[[device]]
name = "early"
spi = 1
arrivals = ["8ms"]
[[device]]
name = "late"
spi = 2
probe = false
arrivals = ["9ms"]
[[device]]
name = "bound"
spi = 3
probe = false
affinity = [2]
arrivals = ["9500us"]
[[task]]
name = "modprobe"
start = "3ms"
run = ["request_irq late", "request_irq bound"]
"""
        + at("2ms", "echo 8 > /proc/irq/default_smp_affinity")
    )
    assert [served_on(outcome.records, name) for name in ("early", "late", "bound")] == [
        [(8, 0)],
        [(9, 3)],
        [(9, 2)],
    ]


def test_bringing_up_a_cpu_that_is_up_is_nothing() -> None:
    outcome = simulate(BUSY + at("1ms", "echo 1 > /sys/devices/system/cpu/cpu1/online"))
    assert outcome.console == []


# --- devmem -----------------------------------------------------------------------------------

ISPENDR_OF_ETH0 = "0x8000204 32 0x1000000"  # GICD_ISPENDR1, bit 24: SPI 24
ICENABLER_OF_ETH0 = "0x8000184 32 0x1000000"
ISENABLER_OF_ETH0 = "0x8000104 32 0x1000000"
ETH0 = '[[device]]\nname = "eth0"\nspi = 24\narrivals = ["20ms"]\nhandler = ["run 4us"]\n'


def registers(outcome: Outcome) -> list[str]:
    """What devmem printed, line by line, without what was typed."""
    texts = [text for _, path, text in outcome.sim.snapshots if path == "devmem"]
    return [line for text in texts for line in text.splitlines() if line[0] != "#"]


def test_devmem_prints_as_many_digits_as_its_width_has() -> None:
    outcome = simulate(
        ETH0
        + at(
            "1ms",
            "devmem 0x8000438 8",
            "devmem 0x8000438 32",
            "devmem 0x8000438",
            "devmem 134217732",
            "devmem 0x80061c0 64",
            "devmem 0x8000438 16",
        )
    )
    assert registers(outcome) == [
        "0xA0", "0xA0A0A0A0", "0xA0A0A0A0", "0x007A001F", "0x0000000000000000", "0x0000",
    ]  # fmt: skip
    assert outcome.console[0] == "irqsim: at 0.001000: devmem 0x8000438 8: 0xA0"


def test_devmem_makes_an_interrupt_pending() -> None:
    outcome = simulate(ETH0 + at("1ms", f"devmem {ISPENDR_OF_ETH0}", "devmem 0x8000204"))
    assert served_on(outcome.records, "eth0") == [(1, 0), (20, 0)]
    assert registers(outcome) == ["0x01000000"]
    assert outcome.sim.snapshots[0][2].startswith(f"# devmem {ISPENDR_OF_ETH0}\n# devmem 0x8000")


def test_devmem_stops_an_interrupt_and_lets_it_through_again() -> None:
    """ICENABLER holds it back behind the kernel's back; ISENABLER delivers what waits."""
    outcome = simulate(
        ETH0
        + at("10ms", f"devmem {ICENABLER_OF_ETH0}")
        + at("25ms", "devmem 0x8000204", f"devmem {ISENABLER_OF_ETH0}")
    )
    assert served_on(outcome.records, "eth0") == [(25, 0)]
    assert registers(outcome) == ["0x01000000"]


def test_devmem_shows_what_the_kernel_programs() -> None:
    """Enabled, its priority, and the CPU that it goes to; then it moves."""
    route, enabled = "devmem 0x80061c0 64", "devmem 0x8000104"
    outcome = simulate(
        ETH0
        + at("1ms", enabled, "devmem 0x8000438 8", route)
        + at("2ms", "echo 4 > /proc/irq/eth0/smp_affinity", route)
    )
    assert registers(outcome) == ["0x01000000", "0xA0", f"0x{0:016X}", f"0x{2:016X}"]


def test_devmem_reaches_the_private_interrupts_of_the_shells_cpu() -> None:
    """GICv2: banked, CPU 0's; GICv3: each redistributor at its address.  27 is the timer."""
    base = '[machine]\nirqchip = "gic-v2"\n' + ETH0
    outcome = simulate(base + at("1ms", "devmem 0x8000100", "devmem 0x8000800", "devmem 0x8010004"))
    assert registers(outcome) == ["0x080000FF", "0x01010101", "0x000000F0"]
    outcome = simulate(ETH0 + at("1ms", "devmem 0x80b0100", "devmem 0x80f0100", "devmem 0x8000100"))
    assert registers(outcome) == ["0x080000FF", "0x080000FF", "0x00000000"]


@pytest.mark.parametrize("address", ["0x8000001", "0x9000000", "0x8010000 64", "0x80000 16 1"])
def test_devmem_where_nothing_answers_is_a_bus_error(address: str) -> None:
    """An address that is not aligned or not the controller's; the run goes on."""
    outcome = simulate(ETH0 + at("1ms", f"devmem {address}"))
    assert outcome.console == [f"irqsim: at 0.001000: devmem {address}: Bus error"]
    assert served_on(outcome.records, "eth0") == [(20, 0)]


def test_an_interrupt_that_nobody_has_mapped_is_ended_with_a_warning() -> None:
    """SPI 32, enabled behind the kernel's back: GICv3's driver says so, once."""
    strange = at("1ms", "devmem 0x8000108 32 1", "devmem 0x8000208 32 1")
    outcome = simulate(ETH0 + strange + at("2ms", "devmem 0x8000208 32 1"))
    assert outcome.sim.dmesg().count("Unexpected interrupt (irqnr 64)") == 1
    assert served_on(outcome.records, "eth0") == [(20, 0)]


def test_a_gicv2_is_left_with_an_active_interrupt() -> None:
    """Its driver does not end what it does not know: the CPU takes no interrupt any more."""
    base = '[machine]\nirqchip = "gic-v2"\n' + ETH0
    strange = at("1ms", "devmem 0x8000108 32 1", "devmem 0x8000208 32 1")
    outcome = simulate(base + strange + at("25ms", "devmem 0x8000308", "devmem 0x8010014"))
    assert served_on(outcome.records, "eth0") == []
    assert registers(outcome) == ["0x00000001", "0x000000A0"]
