"""What a processor does by itself when it takes an IRQ.

An exception is the least that hardware can do: it remembers where it was and in which state,
masks what would disturb, changes its mode and jumps to a fixed place.  All else, the registers
saved on a stack to begin with, is done by the code that stands there.

Source: ARM DDI 0406 (ARMv7-A) section B1.8, IRQ exception; ARM DDI 0487 (ARMv8-A) section
D1.10, exception entry.
Leaves out: EL2 and EL3, FIQ, synchronous exceptions, SError.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

# ARMv7, with SCTLR.V set.
HIGH_VECTORS: Final = 0xFFFF0000
ARMV7_IRQ: Final = 0x18

# ARMv8: four groups of four vectors, by where the exception comes from.
VECTOR_SIZE: Final = 0x80
EL1T: Final = 0x000
EL1H: Final = 0x200
EL0_64: Final = 0x400
EL0_32: Final = 0x600
ARMV8_IRQ: Final = VECTOR_SIZE


@frozen
class IrqException:
    """One IRQ, as the processor takes it.  Modes and registers have their manual's names."""

    vector: str
    """Where it goes on: an address, or with ARMv8 an offset from the base that software chose."""
    mode_from: str
    mode_to: str
    masks: str
    """What is masked from now on: D, A, I and F as in PSTATE."""
    link: str
    """Where the address to return to is, and what is added to it."""
    saved_status: str
    """Where the interrupted mode and flags are."""


def take_irq_armv7(from_user: bool) -> IrqException:
    """An IRQ of ARMv7: into IRQ mode, with a link register and a saved status of its own."""
    return IrqException(
        vector=f"{HIGH_VECTORS + ARMV7_IRQ:#x}",
        mode_from="USR" if from_user else "SVC",
        mode_to="IRQ",
        masks="AI",
        link="LR_irq-4",
        saved_status="SPSR_irq",
    )


def take_irq_armv8(from_user: bool, is_aarch32: bool = False) -> IrqException:
    """An IRQ of ARMv8 at EL1, which uses its own stack pointer; `is_aarch32`: of EL0 only."""
    assert from_user or not is_aarch32
    group = EL1H
    if from_user:
        group = EL0_32 if is_aarch32 else EL0_64
    return IrqException(
        vector=f"VBAR_EL1+{group + ARMV8_IRQ:#x}",
        mode_from="EL0t" if from_user else "EL1h",
        mode_to="EL1h",
        masks="DAIF",
        link="ELR_EL1",
        saved_status="SPSR_EL1",
    )
