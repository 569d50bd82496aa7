"""The kernel log.

Source: kernel/printk/printk.c; levels from include/linux/kern_levels.h.
"""

from __future__ import annotations

from typing import Final

from irqsim.kernel.state import Cpu, Kernel

KERN_EMERG: Final = 0
KERN_ERR: Final = 3
KERN_WARNING: Final = 4
KERN_INFO: Final = 6

CONSOLE_LOGLEVEL: Final = 5
"""Messages of a lower level than this reach the console (`loglevel=5`)."""


RATELIMIT_SECONDS: Final = 5
RATELIMIT_BURST: Final = 10


def printk(k: Kernel, level: int, text: str) -> None:
    """Add lines to the kernel log; warnings and worse go to the console as well."""
    for line in text.splitlines():
        k.dmesg.append((k.now_ns + k.trace_clock_ns, level, line))
        if level < CONSOLE_LOGLEVEL:
            k.console(format_line(k.now_ns + k.trace_clock_ns, line))


def printk_once(k: Kernel, level: int, what: str, text: str) -> None:
    """The same, but the first time only; `what` names the place that says it."""
    if what not in k.said_once:
        k.said_once[what] = None
        printk(k, level, text)


def warn(k: Kernel, cpu: Cpu, where: str, text: str = "") -> None:
    """What WARN() prints: a block with the place, the task and the CPU; WARN_ON() has no text.

    Differs: line numbers, registers and the call trace are left out.
    """
    lines = [
        "------------[ cut here ]------------",
        text,
        f"WARNING: CPU: {cpu.number} PID: {cpu.current.pid} at {where}",
        NO_MODULES,
        *_machine(k, cpu),
        "---[ end trace 0000000000000000 ]---",
    ]
    printk(k, KERN_WARNING, "\n".join(line for line in lines if line))
    k.is_tainted = True


def warn_once(k: Kernel, cpu: Cpu, where: str, text: str = "") -> None:
    """What WARN_ONCE() prints: the same, once since the boot for each place."""
    if where not in k.said_once:
        k.said_once[where] = None
        warn(k, cpu, where, text)


def dump_stack(k: Kernel, cpu: Cpu) -> None:
    """Who runs where on what.  Source: lib/dump_stack.c: dump_stack_print_info.

    Differs: the call trace behind it is left out.
    """
    printk(k, KERN_ERR, "\n".join(_machine(k, cpu)))


NO_MODULES: Final = "Modules linked in:"
HARDWARE_NAME: Final[dict[str, str]] = {
    "arm64": "linux,dummy-virt (DT)",
    "arm": "Generic DT based system",
}
"""What QEMU's `virt` machine calls itself."""


def taint(k: Kernel) -> str:
    """What the kernel has done that may have harmed it: nothing, or a warning.

    Source: kernel/panic.c: print_tainted, taint_flags (W is the tenth).
    """
    if not k.is_tainted:
        return "Not tainted"
    return f"Tainted: {'G        W'.ljust(k.release.nr_taint_flags)}"


def _machine(k: Kernel, cpu: Cpu) -> list[str]:
    """Source: lib/dump_stack.c: dump_stack_print_info."""
    task = cpu.current
    user = "UID: 0 " if k.release.dump_has_uid else ""
    who = f"CPU: {cpu.number} {user}PID: {task.pid} Comm: {task.comm}"
    lines = [f"{who} {taint(k)} {k.release.version} #1"]
    if k.is_tainted and k.release.dump_has_uid:
        lines.append("Tainted: [W]=WARN")
    return [*lines, f"Hardware name: {HARDWARE_NAME[k.arch]}"]


class RateLimit:
    """A message that may come too often: ten are let through in five seconds.

    How many were not is said in front of the next that is.
    Source: lib/ratelimit.c: ___ratelimit; include/linux/ratelimit_types.h: DEFAULT_RATELIMIT.
    """

    __slots__ = ("_begin", "_name", "_nr_missed", "_nr_printed")

    def __init__(self, name: str) -> None:
        """`name` is whose messages they are."""
        self._name = name
        self._begin: int | None = None
        self._nr_printed = self._nr_missed = 0

    def printk(self, k: Kernel, level: int, text: str) -> None:
        """Print it, or count it."""
        if self._begin is None or k.jiffies > self._begin + RATELIMIT_SECONDS * k.hz:
            if self._nr_missed:
                printk(k, KERN_WARNING, f"{self._name}: {self._nr_missed} callbacks suppressed")
            self._begin, self._nr_printed, self._nr_missed = k.jiffies, 0, 0
        if self._nr_printed < RATELIMIT_BURST:
            self._nr_printed += 1
            printk(k, level, text)
        else:
            self._nr_missed += 1


def format_line(time_ns: int, text: str) -> str:
    """A line as `dmesg` shows it."""
    return f"[{format_time(time_ns):>12}] {text}"


def format_time(time_ns: int) -> str:
    """Seconds and microseconds, truncated as printk does."""
    return f"{time_ns // 1_000_000_000}.{time_ns // 1000 % 1_000_000:06d}"
