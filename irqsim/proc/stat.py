"""The counters: /proc/interrupts, /proc/softirqs, /proc/stat, and our own /proc/irqsim.

Source: kernel/irq/proc.c: show_interrupts(); fs/proc/stat.c: show_stat(); fs/proc/softirqs.c.
Differs: /proc/stat has the lines intr, ctxt and softirq, and none of the others.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import FIRST, Release, release_number
from irqsim.kernel.cpu import cpu_down, cpu_up
from irqsim.kernel.irq.irqdesc import IrqDesc
from irqsim.kernel.irq.irqdomain import nr_irqs
from irqsim.kernel.state import Kernel
from irqsim.proc.cpumask import read_bool
from irqsim.proc.errno import EBUSY, FileError
from irqsim.proc.files import Args, Row, Wildcard
from irqsim.proc.interrupts import (
    Arch,
    InterruptsTable,
    IpiRow,
    IrqRow,
    TotalRow,
    ipi_names,
    precision,
)
from irqsim.proc.irq import is_ipi, is_level
from irqsim.proc.softirqs import SoftirqsTable
from irqsim.proc.system import System, online_cpus
from irqsim.units import SOFTIRQ_NAMES, format_cpulist


def interrupts_table(k: Kernel) -> InterruptsTable:
    """/proc/interrupts: a row for each line that is in use, the IPIs by their names."""
    cpus = online_cpus(k)
    descs = [k.irq_desc[irq] for irq in sorted(k.irq_desc) if _is_listed(k, k.irq_desc[irq])]
    rows = [
        IrqRow(
            irq=desc.irq,
            counts=tuple(desc.kstat_irqs[cpu] for cpu in cpus),
            chip=desc.chip.name,
            chip_is_bare=desc.chip.prints_itself,
            hwirq=desc.hwirq,
            is_level=is_level(desc),
            actions=tuple(action.name for action in desc.actions),
        )
        for desc in descs
    ]
    arch: Arch = "arm" if k.arch == "arm" else "arm64"
    ipis = [
        IpiRow(number, tuple(_ipi_counts(k, number)[cpu] for cpu in cpus), name)
        for number, name in enumerate(ipi_names(arch, k.release.name))
    ]
    return InterruptsTable(arch, cpus, (*rows, *ipis, TotalRow("Err", 0)), precision(nr_irqs(k)))


def _is_listed(k: Kernel, desc: IrqDesc) -> bool:
    if is_ipi(k, desc):
        return False
    return bool(desc.actions) or (k.release.lists_freed_irqs and any(desc.kstat_irqs))


def _ipi_counts(k: Kernel, number: int) -> list[int]:
    """By CPU: the interrupt's where IPIs are interrupts, do_handle_IPI()'s own before."""
    if k.release.ipi_is_irq:
        return k.ipi.descs[number].kstat_irqs
    return k.ipi.counts[number]


def softirqs_table(k: Kernel) -> SoftirqsTable:
    """/proc/softirqs: how often each vector ran on each possible CPU."""
    return SoftirqsTable(
        tuple(cpu.number for cpu in k.cpus),
        tuple(
            tuple(cpu.kstat_softirqs[vec] for cpu in k.cpus) for vec in range(len(SOFTIRQ_NAMES))
        ),
    )


def _interrupts(system: System, args: Args) -> str:
    return interrupts_table(system.kernel).render()


def _softirqs(system: System, args: Args) -> str:
    return softirqs_table(system.kernel).render()


def _stat(system: System, args: Args) -> str:
    """IPIs count as the interrupts that they are, or before 5.10 in the total alone."""
    k = system.kernel
    counts = [0] * nr_irqs(k)
    for irq in sorted(k.irq_desc):
        counts[irq] = sum(k.irq_desc[irq].kstat_irqs)
    total = sum(counts)
    if not k.release.ipi_is_irq:
        total += sum(sum(by_cpu) for by_cpu in k.ipi.counts)
    vectors = [sum(by_cpu) for by_cpu in softirqs_table(k).counts]
    return (
        f"intr {total} {' '.join(map(str, counts))}\n"
        f"ctxt {sum(cpu.nr_switches for cpu in k.cpus)}\n"
        f"softirq {sum(vectors)} {' '.join(map(str, vectors))}\n"
    )


SOFTNET_COLUMNS: Final[tuple[tuple[Release, int], ...]] = (((6, 4), 15), ((5, 8), 13), (FIRST, 11))
"""How many columns softnet_stat has, by the release that began it, newest first."""


def _softnet_stat(system: System, args: Args) -> str:
    """Processed, dropped, time_squeeze; the CPU's number is the thirteenth column.

    Nothing is dropped on a CPU's backlog, and nothing waits there: a device's own ring is not
    counted here but in /proc/irqsim.  Source: net/core/net-procfs.c: softnet_seq_show().
    """
    k = system.kernel
    number = release_number(k.release.name)
    width = next(width for since, width in SOFTNET_COLUMNS if number >= since)
    lines = []
    for cpu in online_cpus(k):
        softnet = k.cpus[cpu].softnet
        counts = [softnet.processed, 0, softnet.time_squeeze, *[0] * 9, cpu, 0, 0]
        lines.append(" ".join(f"{count:08x}" for count in counts[:width]) + "\n")
    return "".join(lines)


def _irqsim(system: System, args: Args) -> str:
    """A header, and a line for each device in the order of the scenario, its name last."""
    lines = ["  arrivals     merged    dropped   services     missed  device\n"]
    for each in system.device_counts():
        counts = (each.arrivals, each.merged, each.dropped, each.services, each.missed)
        lines.append(" ".join(f"{count:10d}" for count in counts) + f"  {each.name}\n")
    return "".join(lines)


# -- CPUs --------------------------------------------------------------------------------


def _possible(system: System, args: Args) -> str:
    return format_cpulist(range(len(system.kernel.cpus))) + "\n"


def _online(system: System, args: Args) -> str:
    return format_cpulist(online_cpus(system.kernel)) + "\n"


def _cpu_names(system: System, args: Args) -> list[str]:
    return [f"cpu{cpu.number}" for cpu in system.kernel.cpus]


def _cpu_online(system: System, args: Args) -> str:
    return f"{int(int(args[0].removeprefix('cpu')) in online_cpus(system.kernel))}\n"


def _write_cpu_online(system: System, args: Args, text: str) -> None:
    """Source: drivers/base/core.c: online_store()."""
    number = int(args[0].removeprefix("cpu"))
    if read_bool(text):
        cpu_up(system.kernel, number)
    elif not cpu_down(system.kernel, number):
        raise FileError(EBUSY, is_write=True)


def _cpus_with_switch(system: System, args: Args) -> list[str]:
    """Those that can be taken down.  Source: arch_register_cpu(), cpu_ops.cpu_can_disable."""
    return _cpu_names(system, args) if system.kernel.gic.has_psci else []


WILDCARDS: Final = {"{cpu}": Wildcard(_cpus_with_switch)}

_CPU: Final = "/sys/devices/system/cpu"

ROWS: Final = (
    Row("/proc/interrupts", _interrupts),
    Row("/proc/irqsim", _irqsim),
    Row("/proc/net/softnet_stat", _softnet_stat),
    Row("/proc/softirqs", _softirqs),
    Row("/proc/stat", _stat),
    Row(f"{_CPU}/online", _online),
    Row(f"{_CPU}/possible", _possible),
    Row(f"{_CPU}/present", _possible),
    Row(f"{_CPU}/{{cpu}}/online", _cpu_online, _write_cpu_online),
)
