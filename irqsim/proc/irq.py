"""/proc/irq and /sys/kernel/irq: every interrupt's place, and where it may be served.

Source: kernel/irq/proc.c, kernel/irq/irqdesc.c (CONFIG_SPARSE_IRQ: irq_attrs).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.events import TASK_INTERRUPTIBLE
from irqsim.kernel.irq.irqdesc import IrqDesc
from irqsim.kernel.irq.manage import irq_set_affinity
from irqsim.kernel.state import Kernel
from irqsim.kernel.timer import jiffies_printed
from irqsim.kernel.wakeup import wake_up_by_call
from irqsim.proc.cpumask import read_cpulist, read_cpumask
from irqsim.proc.errno import EINVAL, EIO, EPERM, FileError
from irqsim.proc.files import Args, Row, Wildcard
from irqsim.proc.system import System, online_cpus
from irqsim.units import format_cpulist, format_cpumask

MSEC_PER_SEC: Final = 1000
_U32: Final = 0xFFFFFFFF

ReadCpus = Callable[[str, int], tuple[int, ...]]


def is_ipi(k: Kernel, desc: IrqDesc) -> bool:
    """Whether it is an IPI, which /proc/interrupts hides."""
    return any(desc is each for each in k.ipi.descs)


def is_level(desc: IrqDesc) -> bool:
    """What the files call level: until somebody asks for a trigger, a line is edge."""
    return desc.requested and desc.is_level


def _desc(system: System, args: Args) -> IrqDesc:
    return system.kernel.irq_desc[int(args[0])]


def _numbers(system: System, args: Args) -> list[str]:
    return [str(irq) for irq in sorted(system.kernel.irq_desc)]


def _is_in_proc(k: Kernel, desc: IrqDesc) -> bool:
    """What there was when /proc was made, and what has been requested since."""
    return desc.requested or desc.mapped_at_boot


def _numbers_in_proc(system: System, args: Args) -> list[str]:
    k = system.kernel
    return [str(irq) for irq in sorted(k.irq_desc) if _is_in_proc(k, k.irq_desc[irq])]


def number_of(system: System, name: str) -> str | None:
    """The number of the line that has an action of that name."""
    descs = system.kernel.irq_desc
    for irq in sorted(descs):
        if any(action.name == name for action in descs[irq].actions):
            return str(irq)
    return None


def _actions_with_directory(system: System, args: Args) -> list[str]:
    """A directory for each name; what was requested before there was a /proc has none.

    Nor has what is no name of a file, or is that of another.
    """
    desc = _desc(system, args)
    if desc.requested_at_boot:
        return []
    taken = [".", "..", *(row.components[-1] for row in ROWS)]
    names = [action.name for action in desc.actions]
    return [name for name in dict.fromkeys(names) if "/" not in name and name not in taken]


WILDCARDS: Final = {
    "{irq}": Wildcard(_numbers_in_proc, number_of),
    "{desc}": Wildcard(_numbers, number_of),
    "{action}": Wildcard(_actions_with_directory),
}

# -- /proc/irq ---------------------------------------------------------------------------


def _mask(system: System, cpus: tuple[int, ...]) -> str:
    return f"{format_cpumask(cpus, len(system.kernel.cpus))}\n"


def _list(cpus: tuple[int, ...]) -> str:
    return f"{format_cpulist(cpus)}\n"


def _effective(desc: IrqDesc) -> tuple[int, ...]:
    """Nothing for a per-CPU interrupt, or one that is not moved: nobody chose a CPU."""
    return () if desc.percpu or not desc.chip.has_set_affinity else (desc.effective_cpu,)


def _smp_affinity(system: System, args: Args) -> str:
    return _mask(system, _desc(system, args).affinity)


def _smp_affinity_list(system: System, args: Args) -> str:
    return _list(_desc(system, args).affinity)


def _affinity_hint(system: System, args: Args) -> str:
    return _mask(system, ())


def _effective_affinity(system: System, args: Args) -> str:
    return _mask(system, _effective(_desc(system, args)))


def _effective_affinity_list(system: System, args: Args) -> str:
    return _list(_effective(_desc(system, args)))


def _node(system: System, args: Args) -> str:
    """arm knows no NUMA nodes; arm64 does, and has none for these lines."""
    return "0\n" if system.kernel.arch == "arm" else "-1\n"


def _spurious(system: System, args: Args) -> str:
    """Source: irq_spurious_proc_show()."""
    k, desc = system.kernel, _desc(system, args)
    last_ms = 0
    if desc.last_unhandled:
        last_ms = -(-jiffies_printed(k, desc.last_unhandled) * MSEC_PER_SEC // k.hz) & _U32
    return f"count {desc.irq_count}\nunhandled {desc.irqs_unhandled}\nlast_unhandled {last_ms} ms\n"


def _write_affinity(read_cpus: ReadCpus) -> Callable[[System, Args, str], None]:
    def write(system: System, args: Args, text: str) -> None:
        """Source: write_irq_affinity()."""
        k, desc = system.kernel, _desc(system, args)
        if desc.no_balancing or not desc.chip.has_set_affinity:
            is_io = k.release.fixed_affinity_errno == "EIO"
            raise FileError(EIO if is_io else EPERM, is_write=True)
        cpus = read_cpus(text, len(k.cpus))
        _check_online(k, cpus)
        for thread in irq_set_affinity(k, desc, cpus):
            if thread.state == TASK_INTERRUPTIBLE:
                here = k.cpus[thread.cpu]
                wake_up_by_call(k, here if here.is_online else k.cpus[desc.effective_cpu], thread)

    return write


def _check_online(k: Kernel, cpus: tuple[int, ...]) -> None:
    if not any(cpu in online_cpus(k) for cpu in cpus):
        raise FileError(EINVAL, is_write=True)


def _default_affinity(system: System, args: Args) -> str:
    return _mask(system, system.kernel.irq_default_affinity)


def _write_default_affinity(system: System, args: Args, text: str) -> None:
    """Source: default_affinity_write()."""
    k = system.kernel
    cpus = read_cpumask(text, len(k.cpus))
    _check_online(k, cpus)
    k.irq_default_affinity = cpus


# -- /sys/kernel/irq ---------------------------------------------------------------------


def _actions(system: System, args: Args) -> str:
    """A chained line has an action without a name (irq_chained_handler's), as %s prints it."""
    desc = _desc(system, args)
    names = ",".join(action.name for action in desc.actions)
    if desc.is_chained:
        names = "(null)"
    return f"{names}\n" if names else ""


def _chip_name(system: System, args: Args) -> str:
    """Nothing for a chip that prints itself: it has no name of its own."""
    chip = _desc(system, args).chip
    return "" if chip.prints_itself else f"{chip.name}\n"


def _hwirq(system: System, args: Args) -> str:
    return f"{_desc(system, args).hwirq}\n"


def _name(system: System, args: Args) -> str:
    """The flow handler's name: the GIC's have none."""
    return ""


def _per_cpu_count(system: System, args: Args) -> str:
    return ",".join(str(count) for count in _desc(system, args).kstat_irqs) + "\n"


def _type(system: System, args: Args) -> str:
    return "level\n" if is_level(_desc(system, args)) else "edge\n"


def _wakeup(system: System, args: Args) -> str:
    return "disabled\n"


ROWS: Final = (
    Row("/proc/irq/{irq}/affinity_hint", _affinity_hint),
    Row("/proc/irq/{irq}/effective_affinity", _effective_affinity),
    Row("/proc/irq/{irq}/effective_affinity_list", _effective_affinity_list),
    Row("/proc/irq/{irq}/node", _node),
    Row("/proc/irq/{irq}/smp_affinity", _smp_affinity, _write_affinity(read_cpumask)),
    Row("/proc/irq/{irq}/smp_affinity_list", _smp_affinity_list, _write_affinity(read_cpulist)),
    Row("/proc/irq/{irq}/spurious", _spurious),
    Row("/proc/irq/{irq}/{action}", is_directory=True),
    Row("/proc/irq/default_smp_affinity", _default_affinity, _write_default_affinity),
    Row("/sys/kernel/irq/{desc}/actions", _actions),
    Row("/sys/kernel/irq/{desc}/chip_name", _chip_name),
    Row("/sys/kernel/irq/{desc}/hwirq", _hwirq),
    Row("/sys/kernel/irq/{desc}/name", _name),
    Row("/sys/kernel/irq/{desc}/per_cpu_count", _per_cpu_count),
    Row("/sys/kernel/irq/{desc}/type", _type),
    Row("/sys/kernel/irq/{desc}/wakeup", _wakeup),
)
