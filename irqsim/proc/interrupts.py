"""/proc/interrupts as a table, and the table as text.

The rows hold what the kernel would print of them; who fills them knows the kernel.

Source: kernel/irq/proc.c: show_interrupts(); arch/arm/kernel/{irq,smp}.c and
arch/arm64/kernel/smp.c: arch_show_interrupts(), show_ipi_list().
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from attrs import frozen

from irqsim.errors import TraceFormatError
from irqsim.events import FIRST, Release, release_number

Arch: TypeAlias = Literal["arm", "arm64"]

PREC_MIN: Final = 3
PREC_MAX: Final = 10

_ARM64_COMMON: Final = (
    "Rescheduling interrupts",
    "Function call interrupts",
    "CPU stop interrupts",
    "CPU stop (for crash dump) interrupts",
    "Timer broadcast interrupts",
    "IRQ work interrupts",
)
_ARM64_6_7: Final = (*_ARM64_COMMON, "CPU backtrace interrupts", "KGDB roundup interrupts")

IPI_NAMES: Final[dict[Arch, tuple[tuple[Release, tuple[str, ...]], ...]]] = {
    "arm": (
        (
            FIRST,
            (
                "CPU wakeup interrupts",
                "Timer broadcast interrupts",
                "Rescheduling interrupts",
                "Function call interrupts",
                "CPU stop interrupts",
                "IRQ work interrupts",
                "completion interrupts",
            ),
        ),
    ),
    "arm64": (
        ((6, 12), (*_ARM64_6_7[:3], "CPU stop NMIs", *_ARM64_6_7[4:])),
        ((6, 7), _ARM64_6_7),
        (FIRST, (*_ARM64_COMMON, "CPU wake-up interrupts")),
    ),
}
"""What each architecture calls its IPIs, by the release that began it, newest first."""


@frozen
class IrqRow:
    """A Linux interrupt number."""

    irq: int
    counts: tuple[int, ...]
    """One for each CPU of the header."""
    chip: str
    """The irq_chip's name; ``-`` if it has none."""
    chip_is_bare: bool
    """The chip prints itself (irq_print_chip), without the usual blanks."""
    hwirq: int | None
    is_level: bool
    actions: tuple[str, ...]
    desc_name: str = ""
    """irq_desc.name, where the flow handler was given one."""


@frozen
class IpiRow:
    """A kind of inter-processor interrupt."""

    number: int
    counts: tuple[int, ...]
    text: str


@frozen
class TotalRow:
    """A label with a single number: ``Err``."""

    label: str
    count: int


@frozen
class OtherRow:
    """A row of another architecture, as it was read."""

    text: str


Row: TypeAlias = IrqRow | IpiRow | TotalRow | OtherRow


@frozen
class InterruptsTable:
    """The whole file."""

    arch: Arch
    cpus: tuple[int, ...]
    """The online CPUs."""
    rows: tuple[Row, ...]
    prec: int = PREC_MIN
    """How wide the labels are."""

    def render(self) -> str:
        """The file's text."""
        header = " " * (self.prec + 8) + "".join(f"CPU{cpu:<8d}" for cpu in self.cpus)
        return "".join(f"{line}\n" for line in [header, *map(self._row_text, self.rows)])

    @classmethod
    def parse(cls, text: str) -> InterruptsTable:
        """The inverse.  Raises TraceFormatError for a text without a header."""
        lines = text.split("\n")
        header = lines[0]
        if not re.fullmatch(r" {11,18}(?:CPU[0-9]+ +)+", header):
            raise TraceFormatError("", 1, f"expected the header of /proc/interrupts: {header!r}")
        cpus = tuple(int(name[3:]) for name in header.split())
        prec = len(header) - len(header.lstrip(" ")) - 8
        body = [line for line in lines[1:] if line]
        arch: Arch = "arm64" if any(_is_arm64_ipi(line) for line in body) else "arm"
        rows = tuple(_parse_row(line, len(cpus), arch) for line in body)
        return cls(arch, cpus, rows, prec)

    def _row_text(self, row: Row) -> str:
        if isinstance(row, IrqRow):
            return f"{row.irq:{self.prec}d}: {_counts(row.counts)}{self._description(row)}"
        if isinstance(row, IpiRow):
            label = f"{'IPI':>{self.prec - 1}}{row.number}:"
            if self.arch == "arm":
                return f"{label} {_counts(row.counts)} {row.text}"
            gap = " " if self.prec > PREC_MIN else ""
            return f"{label}{gap}{_counts(row.counts)}      {row.text}"
        if isinstance(row, TotalRow):
            return f"{row.label:>{self.prec}}: {row.count:10d}"
        return row.text

    def _description(self, row: IrqRow) -> str:
        chip = row.chip if row.chip_is_bare else f" {row.chip:>8}"
        hwirq = "" if row.hwirq is None else str(row.hwirq)
        trigger = "Level" if row.is_level else "Edge"
        text = f"{chip} {hwirq:>{self.prec}} {trigger:<8}"
        if row.desc_name:
            text += f"-{row.desc_name:<8}"
        return f"{text}  {', '.join(row.actions)}" if row.actions else text


def ipi_names(arch: Arch, release: str) -> tuple[str, ...]:
    """The names of IPI0, IPI1, ...: in /proc/interrupts, and as the reason in the ipi events."""
    number = release_number(release)
    return next(names for since, names in IPI_NAMES[arch] if number >= since)


def precision(nr_irqs: int) -> int:
    """How wide the labels are for so many interrupt numbers."""
    prec = PREC_MIN
    while prec < PREC_MAX and 10**prec <= nr_irqs:
        prec += 1
    return prec


_IRQ: Final = re.compile(r" *([0-9]+): ")
_IPI: Final = re.compile(r" *IPI([0-9]+):")
_TOTAL: Final = re.compile(r" *([A-Z][a-z]+): +([0-9]+)")
_DESCRIPTION: Final = re.compile(
    r"( *)(.*?) (?: *([0-9]+)|  +) (Level|Edge) {3,4}(?:-([^ ]+) *)?(?:  (.*))?"
)
_COUNT_WIDTH: Final = len(f"{0:10d} ")


def _counts(counts: tuple[int, ...]) -> str:
    return "".join(f"{count:10d} " for count in counts)


def _is_arm64_ipi(line: str) -> bool:
    """arm64 puts six blanks before the text of an IPI, arm one."""
    return re.fullmatch(r" *IPI[0-9]+:[ 0-9]+[0-9] {7}[^ 0-9].*", line) is not None


def _parse_row(line: str, nr_cpus: int, arch: Arch) -> Row:
    """The row, or an OtherRow that keeps the text."""
    total = _TOTAL.fullmatch(line)
    if total is not None:
        return TotalRow(total[1], int(total[2]))
    match = _IRQ.match(line)
    if match is not None:
        counts, rest = _parse_counts(line[match.end() :], nr_cpus)
        return _parse_irq_row(int(match[1]), counts, rest) or OtherRow(line)
    match = _IPI.match(line)
    if match is not None:
        # The counts stand at fixed places; before them is a blank, or none.
        end = match.end()
        counts, rest = _parse_counts(line[end:], nr_cpus)
        if not counts:
            counts, rest = _parse_counts(line[end + 1 :], nr_cpus)
        if counts:
            gap = " " if arch == "arm" else "      "
            return IpiRow(int(match[1]), counts, rest.removeprefix(gap))
    return OtherRow(line)


def _parse_counts(text: str, nr_cpus: int) -> tuple[tuple[int, ...], str]:
    """The counts and what follows them; no counts where the columns do not fit."""
    end = nr_cpus * _COUNT_WIDTH
    cells = [text[at : at + _COUNT_WIDTH] for at in range(0, end, _COUNT_WIDTH)]
    if len(text) < end or not all(re.fullmatch(" *[0-9]+ ", cell) for cell in cells):
        return (), ""
    return tuple(int(cell) for cell in cells), text[end:]


def _parse_irq_row(irq: int, counts: tuple[int, ...], rest: str) -> IrqRow | None:
    match = _DESCRIPTION.fullmatch(rest)
    if match is None or not counts:
        return None
    blanks, chip, hwirq, trigger, desc_name, actions = match.groups()
    return IrqRow(
        irq=irq,
        counts=counts,
        chip=chip,
        chip_is_bare=not blanks,
        hwirq=None if hwirq is None else int(hwirq),
        is_level=trigger == "Level",
        actions=tuple(actions.split(", ")) if actions else (),
        desc_name=desc_name or "",
    )
