"""The kernel's own counts, compared with what the log shows.

/proc/interrupts counts how often a line was served: each of its actions leaves one entry in the
log each time.  /proc/softirqs counts the runs of a vector.

Source: kernel/irq/internals.h: kstat_incr_irqs_this_cpu; kernel/softirq.c: handle_softirqs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from irqsim.events import IRQ_HANDLER_ENTRY, SOFTIRQ_ENTRY, Record


class Tally:
    """How often each action of each line, and each vector, has run on each CPU."""

    __slots__ = ("actions", "vectors")

    actions: dict[tuple[int, int], dict[str, int]]
    """By (irq, CPU), then by the action's name."""
    vectors: dict[tuple[int, int], int]
    """By (vec, CPU)."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.actions = {}
        self.vectors = {}
        for record in records:
            self.feed(record)

    def feed(self, record: Record) -> None:
        """Take in the next record."""
        _, context, event = record
        if event.tracepoint is IRQ_HANDLER_ENTRY:
            irq, name = event.values
            assert isinstance(irq, int)
            assert isinstance(name, str)
            names = self.actions.setdefault((irq, context.cpu), {})
            names[name] = names.get(name, 0) + 1
        elif event.tracepoint is SOFTIRQ_ENTRY:
            vec = event.values[0]
            assert isinstance(vec, int)
            key = (vec, context.cpu)
            self.vectors[key] = self.vectors.get(key, 0) + 1

    def bounds(self, irq: int, cpu: int) -> tuple[int, int]:
        """How often a line was served, at least and at most.

        The two are the same unless its actions came and went.
        """
        counts = self.actions.get((irq, cpu), {}).values()
        return max(counts, default=0), sum(counts)


def count_faults(
    tally: Tally, irqs: Mapping[int, Sequence[int]], softirqs: Sequence[Sequence[int]]
) -> list[str]:
    """Where the kernel's counts are not what the log shows.

    `irqs`: by Linux number, by CPU; `softirqs`: by vector, by CPU.
    Source: kernel/irq/proc.c: show_interrupts; fs/proc/softirqs.c: show_softirqs.
    """
    faults = []
    for irq, counts in irqs.items():
        for cpu, count in enumerate(counts):
            least, most = tally.bounds(irq, cpu)
            if not least <= count <= most:
                seen = str(least) if least == most else f"{least} to {most}"
                faults.append(f"irq {irq} on CPU {cpu}: counted {count}, in the log {seen}")
    for vec, counts in enumerate(softirqs):
        for cpu, count in enumerate(counts):
            runs = tally.vectors.get((vec, cpu), 0)
            if count != runs:
                faults.append(f"vec {vec} on CPU {cpu}: counted {count}, in the log {runs}")
    return faults
