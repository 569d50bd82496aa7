"""What code did at one occurrence, while a capture is taken apart: steps with gaps to fill."""

from __future__ import annotations

from attrs import define, field


@define(eq=False)
class Slot:
    """A step that later records decide; empty if they do not."""

    text: str = ""


@define(eq=False)
class IpiStep:
    """An `ipi_raise`, whose targets' interrupts are found later."""

    number: int
    targets: dict[int, str] = field(factory=dict)
    """By CPU: ``+DELAY#LINE``, or nothing where no interrupt came of it."""

    @property
    def text(self) -> str:
        targets = " ".join(f"{cpu}{tail}" for cpu, tail in sorted(self.targets.items()))
        return f"ipi_raise {self.number} {targets}"


@define(eq=False)
class Body:
    """One occurrence of a piece of code."""

    time_ns: int
    cpu: int
    delay_ns: int = 0
    words: str = ""
    steps: list[str | Slot | IpiStep] = field(factory=list)
    cpu_ns: int = 0
    """How long the code itself ran."""

    def texts(self) -> list[str]:
        """The steps that say something."""
        texts = (step if isinstance(step, str) else step.text for step in self.steps)
        return [text for text in texts if text]

    def add_time(self, ns: int, verb: str = "run") -> None:
        """Let time pass in it."""
        if ns > 0:
            self.steps.append(f"{verb} {duration_text(ns)}")
            self.cpu_ns += ns

    def add(self, step: str | Slot | IpiStep) -> None:
        self.steps.append(step)


@define(eq=False)
class Frame:
    """Code on a CPU's stack, and up to when its time has been written down."""

    body: Body | None
    """None: the model runs this code by itself."""
    last_ns: int
    owed_ns: int = 0
    kind: str = "task"
    number: int = 0
    """Of a hard interrupt its irq, of a softirq its vector."""
    name: str = ""
    began_ns: int = 0
    tail: Body | None = None
    """ksoftirqd's: its section, when softirqs have run in it."""
    wait_slot: Slot | None = None
    waited_ns: int = 0
    """Where, and after how long, an idle task's wait ended."""
    verb: str = "run"
    """How time passes in it: an idle task waits until somebody is to run."""

    def advance(self, now_ns: int) -> None:
        """Write down the time up to now."""
        ns = self.owed_ns + now_ns - self.last_ns
        self.owed_ns, self.last_ns = 0, now_ns
        if self.body is not None:
            self.body.add_time(ns, self.verb)

    def end_wait(self) -> None:
        """Somebody is to run: an idle task does not wait any more, but takes its time to switch."""
        if self.verb == "wait" and self.body is not None:
            self.waited_ns, self.owed_ns = self.owed_ns, 0
            self.wait_slot = Slot("wait_resched")
            self.body.add(self.wait_slot)
            self.verb = "run"

    def resume_wait(self) -> None:
        """It did wait on: whoever ran meanwhile is not in the log."""
        if self.wait_slot is not None and self.verb == "run":
            self.wait_slot.text = ""
            self.owed_ns += self.waited_ns
            self.verb = "wait"

    def suspend(self, now_ns: int) -> None:
        """Something comes on top."""
        self.owed_ns += now_ns - self.last_ns
        self.last_ns = now_ns

    def resume(self, now_ns: int) -> None:
        """It goes on."""
        self.last_ns = now_ns


def duration_text(ns: int) -> str:
    """A duration as the language has it, exact."""
    if ns % 1_000:
        return f"{ns}ns" if ns < 1_000 else f"{ns // 1_000}.{ns % 1_000:03d}us"
    return f"{ns // 1_000}us"


def time_text(ns: int) -> str:
    """A time of day of a run, in milliseconds, exact."""
    return f"{ns // 1_000_000}.{ns % 1_000_000:06d}ms"
