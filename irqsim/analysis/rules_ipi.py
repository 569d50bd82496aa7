"""Laws of interprocessor interrupts, which are interrupts like others since 5.10.

Source: arch/arm64/kernel/smp.c, arch/arm/kernel/smp.c.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from irqsim.analysis.automaton import Automaton, Move, closing, on_cpu
from irqsim.analysis.invariant import Invariant, Setting
from irqsim.analysis.names import IPI_NAME, IPIS_ARE_IRQS_SINCE, STOPPER
from irqsim.events import (
    IPI_ENTRY,
    IPI_EXIT,
    IPI_RAISE,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    IRQS_OFF,
    NMI,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    Context,
    Event,
    Value,
)

OFFLINE_NS: Final = 10_000_000
"""So long after a stopper ran a CPU may raise IPIs on its way offline, where nothing is traced."""
SETTLED_NS: Final = 1_000_000
"""No IPI is under way for longer to a CPU with interrupts on."""

_HANDLERS: Final = (IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT)
_OUTSIDE: Final = "no handler runs"
_INSIDE: Final = "a handler runs"


def _ipi_handler(context: Context, event: Event) -> Iterable[Move]:
    if context.flags & NMI:
        return ()
    return ((context.cpu, "IPI" if event.values[1] == IPI_NAME else "other", None),)


_IPI_IN_HANDLER: Final = Automaton(
    reads={
        IRQ_HANDLER_ENTRY: _ipi_handler,
        IRQ_HANDLER_EXIT: on_cpu("exit", skips_nmi=True),
        IPI_ENTRY: on_cpu("ipi", skips_nmi=True),
    },
    moves={
        (_OUTSIDE, "IPI"): "the IPI's handler runs",
        (_OUTSIDE, "other"): _INSIDE,
        (_OUTSIDE, "exit"): _OUTSIDE,
        # Nested handlers are the business of another law.
        ("the IPI's handler runs", "other"): _INSIDE,
        (_INSIDE, "other"): _INSIDE,
        ("the IPI's handler runs", "ipi"): "the IPI's handler runs",
        ("the IPI's handler runs", "exit"): _OUTSIDE,
        (_INSIDE, "exit"): _OUTSIDE,
    },
    start=_OUTSIDE,
)


def _cpus(mask: Value) -> int:
    """The CPUs of a mask field, which is a string if it does not print as two words."""
    if isinstance(mask, str):
        return int(mask.replace(",", ""), 16)
    return mask or 0


class _Raised:
    """Remembers the IPIs that were raised for each CPU and that it has not handled yet.

    What was raised before the log began is handled as soon as its CPU has interrupts on.
    """

    __slots__ = ("_began_ns", "_first", "_is_settled", "_owed", "_stopped_ns")

    def __init__(self, setting: Setting) -> None:
        self._first: bool | None = False if setting.is_complete else None
        self._stopped_ns = -OFFLINE_NS
        """When a stopper was seen last."""
        self._began_ns: int | None = None
        self._is_settled: dict[int, bool] = {}
        self._owed: dict[tuple[int, Value], bool | None] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if self._began_ns is None:
            self._began_ns = time_ns
        if not context.flags & IRQS_OFF and time_ns >= self._began_ns + SETTLED_NS:
            self._is_settled[context.cpu] = True
        if event.tracepoint not in (IPI_RAISE, IPI_ENTRY):
            return ""
        reason = event["reason"]
        if event.tracepoint is IPI_RAISE:
            mask, cpu = _cpus(event["target_cpus"]), 0
            while mask:
                if mask & 1:
                    self._owed[cpu, reason] = True
                mask, cpu = mask >> 1, cpu + 1
            return ""
        if context.comm.startswith(STOPPER):
            self._stopped_ns = time_ns
        key = context.cpu, reason
        first = False if context.cpu in self._is_settled else self._first
        is_owed = self._owed.get(key, first)
        self._owed[key] = False
        if time_ns < self._stopped_ns + OFFLINE_NS:
            return ""
        return f"{reason}: nobody has raised it" if is_owed is False else ""

    def lost(self, cpu: int) -> None:
        self._first = None
        self._began_ns = None
        self._is_settled.clear()
        self._owed.clear()


class _OneIpi:
    """Counts the IPIs within each CPU's handler named IPI."""

    __slots__ = ("_nr",)

    def __init__(self, setting: Setting) -> None:
        self._nr: dict[int, int] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu = context.cpu
        if context.flags & NMI:
            return ""
        if event.tracepoint is IRQ_HANDLER_ENTRY:
            self._nr.pop(cpu, None)
            if event.values[1] == IPI_NAME:
                self._nr[cpu] = 0
        elif cpu in self._nr:
            if event.tracepoint is IPI_ENTRY:
                self._nr[cpu] += 1
                return "" if self._nr[cpu] == 1 else "a second IPI in one handler"
            if not self._nr.pop(cpu):
                return "the handler of IPIs returns, and has handled none"
        return ""

    def lost(self, cpu: int) -> None:
        self._nr.pop(cpu, None)


_IPI_CLOSING: Final = closing(IPI_ENTRY, IPI_EXIT, "no IPI is handled", "an IPI is handled")

class _Handled:
    """Remembers which CPUs are in the handler named IPI."""

    __slots__ = ("_is_ipi",)

    def __init__(self, setting: Setting) -> None:
        self._is_ipi: dict[int, bool] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if context.flags & NMI:
            return ""
        if event.tracepoint is IRQ_HANDLER_ENTRY:
            self._is_ipi[context.cpu] = event.values[1] == IPI_NAME
        elif self._is_ipi.pop(context.cpu, False) and not event.values[1]:
            return "the handler of IPIs returns unhandled"
        return ""

    def lost(self, cpu: int) -> None:
        self._is_ipi.pop(cpu, None)


IPI_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="ipi_exit_closes_its_entry",
        law="ipi_exit has the reason of the ipi_entry before it on its CPU.",
        scope="CPU",
        source="arch/arm64/kernel/smp.c: do_handle_IPI",
        on=_IPI_CLOSING.on,
        make=_IPI_CLOSING.watch,
        needs=_IPI_CLOSING.on,
        applies=lambda setting: setting.release >= IPIS_ARE_IRQS_SINCE,
        exceptions="before 5.10 the softirqs that an IPI has raised run before its ipi_exit",
    ),
    Invariant(
        name="ipis_are_handled_by_their_own_interrupt",
        law="ipi_entry stands within the handler named IPI, where IPIs are interrupts.",
        scope="CPU",
        source="arch/arm64/kernel/smp.c: ipi_handler (since 5.10)",
        on=_IPI_IN_HANDLER.on,
        make=_IPI_IN_HANDLER.watch,
        needs=(IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT, IPI_ENTRY),
        applies=lambda setting: setting.release >= IPIS_ARE_IRQS_SINCE,
    ),
    Invariant(
        name="an_ipi_was_raised_before",
        law="A CPU handles an IPI only if it was raised for it since it handled the last one of "
        "that reason.",
        scope="IPI",
        source="arch/arm64/kernel/smp.c: smp_cross_call, do_handle_IPI",
        on=(IPI_RAISE, IPI_ENTRY, SOFTIRQ_ENTRY, SOFTIRQ_EXIT),
        make=_Raised,
        needs=(IPI_RAISE, IPI_ENTRY),
        is_strict=False,
        applies=lambda setting: setting.release >= IPIS_ARE_IRQS_SINCE
        and not setting.has_outside,
        exceptions="a CPU that goes offline, which has raised it",
    ),
    Invariant(
        name="an_ipi_handler_handles_one_ipi",
        law="The handler named IPI has one ipi_entry and its ipi_exit.",
        scope="CPU",
        source="arch/arm64/kernel/smp.c: ipi_handler",
        on=(*_HANDLERS, IPI_ENTRY),
        make=_OneIpi,
        needs=(*_HANDLERS, IPI_ENTRY),
        applies=lambda setting: setting.release >= IPIS_ARE_IRQS_SINCE,
    ),
    Invariant(
        name="ipis_are_always_handled",
        law="The handler named IPI returns handled.",
        scope="CPU",
        source="arch/arm64/kernel/smp.c: ipi_handler",
        on=_HANDLERS,
        make=_Handled,
        needs=_HANDLERS,
    ),
)
