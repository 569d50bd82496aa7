"""A GIC whose PEs mask interrupts by priority, so that some come through all the same.

Such a PE writes the priority mask whenever it would else set PSTATE.I, which is all the time.
Here it does not: it says once which mask it would write, and is told of each signal whether it
would rise even then.

Source: IHI 0069 section 4.8; IHI 0069 section 12.2: ICC_PMR_EL1.
"""

from __future__ import annotations

from irqsim.hw.gic import Gic
from irqsim.hw.interrupt import RANK_SHIFT


class PriorityMaskingGic(Gic):
    """A GICv3 that keeps `nmi`: by PE, whether its signal comes through the second mask."""

    __slots__ = ("_masked", "nmi")

    def __init__(
        self, version: int, nr_pes: int, nr_spis: int, priority_bits: int = 5
    ) -> None:
        assert version == 3
        # set_masked_pmr() only: the first ranking that the second mask of each PE holds back.
        self._masked: list[int] = [0] * nr_pes
        self.nmi: list[bool] = [False] * nr_pes
        super().__init__(version, nr_pes, nr_spis, priority_bits)

    def set_masked_pmr(self, pe: int, value: int) -> None:
        """Have `nmi` tell whether the PE would be signalled with this value in PMR as well."""
        self._masked[pe] = (value & self.priority_mask) << RANK_SHIFT
        self._signal(pe)

    def _signal(self, pe: int) -> None:
        super()._signal(pe)
        nmi = self.irq[pe] and self.cpus[pe].ready[0] < self._masked[pe]
        if nmi is not self.nmi[pe]:
            self.nmi[pe] = nmi
            if nmi:
                self.changed.append(pe)
