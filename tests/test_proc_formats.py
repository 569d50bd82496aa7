"""/proc/interrupts and /proc/softirqs as text, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.errors import TraceFormatError
from irqsim.proc.interrupts import (
    Arch,
    InterruptsTable,
    IpiRow,
    IrqRow,
    OtherRow,
    Row,
    TotalRow,
    ipi_names,
    precision,
)
from irqsim.proc.softirqs import SoftirqsTable

ROWS: tuple[Row, ...] = (
    IrqRow(11, (857, 719), "GICv3", False, 27, True, ("arch_timer",)),
    IrqRow(22, (0, 1), "ITS-MSI", False, 16384, False, ("virtio3-config",)),
    IrqRow(24, (0, 0), "GIC-0", True, 78, False, ("a b", "c")),
    IrqRow(34, (0, 4294967295), "9030000.pl061", True, 3, False, ()),
)


def test_rows_of_arm64() -> None:
    """Chips that print themselves stand bare; the others have a blank and eight columns."""
    rows = (*ROWS, IpiRow(0, (28, 36), "Rescheduling interrupts"), TotalRow("Err", 0))
    table = InterruptsTable("arm64", (0, 2), rows)
    text = (
        "           CPU0       CPU2       \n"
        " 11:        857        719     GICv3  27 Level     arch_timer\n"
        " 22:          0          1   ITS-MSI 16384 Edge      virtio3-config\n"
        " 24:          0          0 GIC-0  78 Edge      a b, c\n"
        " 34:          0 4294967295 9030000.pl061   3 Edge    \n"
        "IPI0:        28         36       Rescheduling interrupts\n"
        "Err:          0\n"
    )
    assert table.render() == text
    assert InterruptsTable.parse(text) == table


def test_rows_of_arm() -> None:
    rows = (IpiRow(2, (42,), "Rescheduling interrupts"), TotalRow("Err", 3))
    table = InterruptsTable("arm", (0,), rows)
    assert table.render() == (
        "           CPU0       \nIPI2:         42  Rescheduling interrupts\nErr:          3\n"
    )
    assert InterruptsTable.parse(table.render()) == table


def test_wider_labels() -> None:
    """From 1000 interrupt numbers on, arm64 has a blank behind the label of an IPI."""
    rows = (ROWS[0], IpiRow(0, (1, 2), "Rescheduling interrupts"), TotalRow("Err", 0))
    table = InterruptsTable("arm64", (0, 1), rows, precision(1000))
    assert table.render() == (
        "            CPU0       CPU1       \n"
        "  11:        857        719     GICv3   27 Level     arch_timer\n"
        "IPI0:          1          2       Rescheduling interrupts\n"
        " Err:          0\n"
    )
    assert InterruptsTable.parse(table.render()) == table


def test_a_flow_handlers_name_and_a_chip_without_domain() -> None:
    row = IrqRow(5, (0,), "-", False, None, False, ("x",), "edge")
    table = InterruptsTable("arm", (0,), (row,))
    assert table.render().splitlines()[1] == "  5:          0         -     Edge    -edge      x"
    assert InterruptsTable.parse(table.render()) == table


@pytest.mark.parametrize(
    ("nr_irqs", "prec"), [(1, 3), (64, 3), (999, 3), (1000, 4), (9999, 4), (10**12, 10)]
)
def test_precision(nr_irqs: int, prec: int) -> None:
    assert precision(nr_irqs) == prec


def test_what_the_ipis_are_called() -> None:
    assert ipi_names("arm", "4.19") == ipi_names("arm", "6.12")
    assert ipi_names("arm", "6.1")[2] == "Rescheduling interrupts"
    assert len(ipi_names("arm64", "6.1")) == 7
    assert ipi_names("arm64", "6.6")[6] == "CPU wake-up interrupts"
    assert ipi_names("arm64", "6.1-rt") == ipi_names("arm64", "6.1")
    assert len(ipi_names("arm64", "6.12")) == 8
    assert ipi_names("arm64", "6.12")[3] == "CPU stop NMIs"


def test_rows_of_others_are_kept() -> None:
    text = (
        "           CPU0       CPU1       \n"
        " 24:          1          0  IO-APIC   5-edge      ACPI:Ged\n"
        "NMI:          0          0   Non-maskable interrupts\n"
        "FIQ:              usb_fiq\n"
    )
    table = InterruptsTable.parse(text)
    assert all(isinstance(row, OtherRow) for row in table.rows)
    assert table.render() == text


@pytest.mark.parametrize("text", ["", "CPU0\n", "intr 1 2 3\n"])
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(TraceFormatError):
        InterruptsTable.parse(text)
    with pytest.raises(TraceFormatError):
        SoftirqsTable.parse(text)


WORDS = st.text(alphabet="abcXYZ09._-/:", min_size=1, max_size=24).filter(
    lambda word: not word[0].isdigit()
)
ACTIONS = st.lists(WORDS, max_size=3).map(tuple)
COUNT = st.integers(0, 2**32 - 1)


@st.composite
def tables(draw: st.DrawFn) -> InterruptsTable:
    arch: Arch = draw(st.sampled_from(["arm", "arm64"]))
    cpus = tuple(sorted(draw(st.sets(st.integers(0, 255), min_size=1, max_size=12))))
    counts = st.tuples(*(COUNT for _ in cpus))
    irq_rows = st.builds(
        IrqRow,
        irq=st.integers(0, 999),
        counts=counts,
        chip=WORDS,
        chip_is_bare=st.booleans(),
        hwirq=st.one_of(st.none(), st.integers(0, 99_999)),
        is_level=st.booleans(),
        actions=ACTIONS,
        desc_name=st.sampled_from(["", "edge", "fasteoi"]),
    )
    rows: list[Row] = [*draw(st.lists(irq_rows, max_size=5))]
    # An IPI row says which architecture it is.
    for number, name in enumerate(ipi_names(arch, "6.1")):
        rows.append(IpiRow(number, draw(counts), name))
    rows.append(TotalRow("Err", draw(COUNT)))
    return InterruptsTable(arch, cpus, tuple(rows), draw(st.integers(3, 6)))


@given(tables())
def test_interrupts_read_back_as_the_same_table(table: InterruptsTable) -> None:
    assert InterruptsTable.parse(table.render()) == table


@given(st.lists(st.integers(0, 255), min_size=1, max_size=8, unique=True), st.data())
def test_softirqs_read_back_as_the_same_table(cpus: list[int], data: st.DataObject) -> None:
    counts = st.tuples(*(COUNT for _ in cpus))
    table = SoftirqsTable(tuple(sorted(cpus)), data.draw(st.tuples(*(counts for _ in range(10)))))
    assert SoftirqsTable.parse(table.render()) == table


def test_softirqs() -> None:
    table = SoftirqsTable((0, 1), tuple((vec, 10 * vec) for vec in range(10)))
    lines = table.render().splitlines()
    assert lines[0] == "                    CPU0       CPU1       "
    assert lines[3] == "      NET_TX:          2         20"
    assert len(lines) == 11
    with pytest.raises(TraceFormatError, match="NET_RX"):
        SoftirqsTable.parse(table.render().replace("NET_RX", "NET_R"))
