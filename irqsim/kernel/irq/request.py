"""What request_irq() refuses, as rules over plain flags: who may have a line, and how.

The reader of scenarios asks before a run starts, the kernel when a driver requests a line
while it runs; both get the same answer.  Left out: what cannot happen here (no memory, no
such irq_desc, a chip that refuses a trigger).

Source: request_threaded_irq(), request_nmi(), __setup_irq(), irq_setup_forced_threading(),
__request_percpu_irq(), kernel/irq/manage.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from irqsim.kernel.irq.settings import (
    IRQF_COND_ONESHOT,
    IRQF_COND_SUSPEND,
    IRQF_IRQPOLL,
    IRQF_NO_AUTOEN,
    IRQF_NO_SUSPEND,
    IRQF_NO_THREAD,
    IRQF_ONESHOT,
    IRQF_PERCPU,
    IRQF_SHARED,
    IRQF_TRIGGER_MASK,
    TRIGGER_FLAGS,
)

ERRNO: Final[dict[str, int]] = {"EBUSY": 16, "EINVAL": 22}


@frozen
class Refusal:
    """The errno by name, why in our words, and the kernel's own log line if it prints one."""

    errno: str
    reason: str
    log: str = ""

    def __str__(self) -> str:
        text = f"request_irq() returns -{self.errno}: {self.reason}"
        return f"{text} ({self.log})" if self.log else text


@frozen
class Request:
    """What a driver asks for: the action's name, its flags and trigger, and what it runs.

    The flags may hold IRQF_TRIGGER bits; which trigger it is, ``is_level`` alone says.
    """

    name: str
    flags: int
    is_level: bool
    has_handler: bool = True
    has_thread: bool = False
    is_nmi: bool = False


@frozen
class ExistingAction:
    """An action of a line, with the flags that the kernel has made of the request's."""

    name: str
    flags: int
    is_level: bool
    is_nmi: bool = False


@frozen
class Line:
    """What a request finds: the line's number as the log prints it, and its kind.

    ``is_chained``: a controller's own line (IRQ_NOREQUEST).  ``is_nested``: its thread functions
    run in another line's thread (IRQ_NESTED_THREAD).  ``is_oneshot_safe``: the chip
    needs no ONESHOT (IRQCHIP_ONESHOT_SAFE, message-signalled interrupts).
    """

    irq: str
    is_per_cpu_devid: bool = False
    is_chained: bool = False
    is_nested: bool = False
    is_oneshot_safe: bool = False
    supports_nmi: bool = True
    """The chip has IRQCHIP_SUPPORTS_NMI, and no other is above it."""


def check_request(
    new: Request,
    actions: Sequence[ExistingAction],
    line: Line,
    *,
    bits_per_long: int,
    has_cond_oneshot: bool,
    force_irqthreads: bool,
) -> ExistingAction | Refusal:
    """What the kernel makes of a request for a line that has these actions already.

    ``has_cond_oneshot``: a release whose request_irq() passes IRQF_COND_ONESHOT itself.
    """
    refusal = _refuse_percpu(new) if line.is_per_cpu_devid else _refuse_arguments(new, line)
    if refusal is not None:
        return refusal
    flags = _flags_of_action(new, line, has_cond_oneshot, force_irqthreads)
    if actions:
        old = actions[0]
        if old.is_nmi or new.is_nmi:
            return Refusal("EINVAL", f"{old.name!r} has the line, and an NMI is never shared")
        if old.flags & IRQF_ONESHOT and flags & IRQF_COND_ONESHOT:
            flags |= IRQF_ONESHOT
        refusal = sharing_refusal(line.irq, ExistingAction(new.name, flags, new.is_level), old)
        if refusal is not None:
            return refusal
    if flags & IRQF_ONESHOT and len(actions) >= bits_per_long:
        return Refusal("EBUSY", f"only {bits_per_long} IRQF_ONESHOT handlers fit on one line")
    is_storm = not new.has_handler and not line.is_nested and not line.is_oneshot_safe
    if is_storm and not flags & IRQF_ONESHOT:
        return Refusal(
            "EINVAL",
            "a thread without a handler needs IRQF_ONESHOT, or the line would fire for ever",
            f"genirq: Threaded irq requested with handler=NULL and !ONESHOT "
            f"for {new.name} (irq {line.irq})",
        )
    return ExistingAction(new.name, flags, new.is_level, new.is_nmi)


def sharing_refusal(irq: int | str, new: ExistingAction, old: ExistingAction) -> Refusal | None:
    """The four ways in which a new action and the first one of a line can disagree.

    Source: __setup_irq(), kernel/irq/manage.c, where it goes to `mismatch`.
    """
    if not old.flags & new.flags & IRQF_SHARED:
        reason = f"{old.name!r} has the line, and to share it both need IRQF_SHARED"
    elif old.is_level != new.is_level:
        reason = f"it shares the line with {old.name!r}, whose trigger is another"
    elif (old.flags ^ new.flags) & IRQF_ONESHOT:
        reason = f"it shares the line with {old.name!r}, and both or neither have IRQF_ONESHOT"
    elif (old.flags ^ new.flags) & IRQF_PERCPU:
        reason = f"it shares the line with {old.name!r}, and both or neither have IRQF_PERCPU"
    else:
        return None
    log = (
        f"genirq: Flags mismatch irq {irq}. {_logged(new):08x} ({new.name}) "
        f"vs. {_logged(old):08x} ({old.name})"
    )
    return Refusal("EBUSY", reason, log)


def _logged(action: ExistingAction) -> int:
    """The flags as the log has them, with the trigger that the line had before."""
    return action.flags | TRIGGER_FLAGS["level" if action.is_level else "edge"]


def _refuse_arguments(new: Request, line: Line) -> Refusal | None:
    """The checks of request_threaded_irq() and request_nmi() themselves, in their order."""
    flags = new.flags
    if new.is_nmi and flags & (IRQF_SHARED | IRQF_COND_SUSPEND | IRQF_IRQPOLL):
        return Refusal("EINVAL", "an NMI cannot have IRQF_SHARED")
    if new.is_nmi and not line.supports_nmi:
        return Refusal("EINVAL", "only the GICv3's own SPIs and PPIs can be NMIs")
    if new.is_nmi and (new.has_thread or not new.has_handler):
        return Refusal("EINVAL", "an NMI has a handler and no thread")
    if flags & IRQF_SHARED and flags & IRQF_NO_AUTOEN:
        return Refusal("EINVAL", "IRQF_SHARED and IRQF_NO_AUTOEN exclude each other")
    if flags & IRQF_COND_SUSPEND and not flags & IRQF_SHARED:
        return Refusal("EINVAL", "IRQF_COND_SUSPEND needs IRQF_SHARED")
    if flags & IRQF_COND_SUSPEND and flags & IRQF_NO_SUSPEND:
        return Refusal("EINVAL", "IRQF_NO_SUSPEND and IRQF_COND_SUSPEND exclude each other")
    if line.is_chained:
        return Refusal("EINVAL", "the line belongs to a chained interrupt controller")
    if not new.has_handler and not new.has_thread:
        return Refusal("EINVAL", "a request needs a handler or a thread")
    if line.is_nested and not new.has_thread:
        return Refusal("EINVAL", "a line that is served in a thread needs a thread function")
    return None


def _refuse_percpu(new: Request) -> Refusal | None:
    """The checks of request_percpu_irq(), which takes no flags and no thread."""
    if new.has_thread or not new.has_handler:
        return Refusal("EINVAL", "a per-CPU interrupt (PPI) has a handler and no thread")
    if new.flags & ~IRQF_TRIGGER_MASK:
        return Refusal("EINVAL", "request_percpu_irq() takes no flags but the timer's")
    return None


def _flags_of_action(
    new: Request, line: Line, has_cond_oneshot: bool, force_irqthreads: bool
) -> int:
    """The flags that the irqaction gets before the line's other actions are looked at."""
    flags = new.flags
    if line.is_per_cpu_devid:
        return flags | IRQF_PERCPU | IRQF_NO_SUSPEND
    if has_cond_oneshot and not new.has_thread and not new.is_nmi:
        flags |= IRQF_COND_ONESHOT
    is_exempt = bool(flags & (IRQF_NO_THREAD | IRQF_PERCPU | IRQF_ONESHOT))
    is_exempt = is_exempt or line.is_nested
    if force_irqthreads and new.has_handler and not new.is_nmi and not is_exempt:
        flags |= IRQF_ONESHOT
    if line.is_oneshot_safe:
        flags &= ~IRQF_ONESHOT
    return flags
