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


def warn(k: Kernel, cpu: Cpu, where: str, text: str) -> None:
    """What WARN() prints: a block with the place, the task and the CPU.

    Differs: the lists of modules and registers and the call trace are left out.
    """
    task = cpu.current
    who = f"PID: {task.pid} Comm: {task.comm}"
    printk(
        k,
        KERN_WARNING,
        "\n".join(
            (
                "------------[ cut here ]------------",
                text,
                f"WARNING: CPU: {cpu.number} PID: {task.pid} at {where}",
                f"CPU: {cpu.number} {who} Not tainted {k.release.version} #1",
                "---[ end trace 0000000000000000 ]---",
            )
        ),
    )


def format_line(time_ns: int, text: str) -> str:
    """A line as `dmesg` shows it: seconds and microseconds, truncated as printk does."""
    return f"[{time_ns // 1_000_000_000:5d}.{time_ns // 1000 % 1_000_000:06d}] {text}"
