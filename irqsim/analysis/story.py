"""What a capture is made of, once it has been taken apart: who did what, when and where."""

from __future__ import annotations

from typing import Final

from attrs import define, field

from irqsim.analysis.capture import KSOFTIRQD, Capture, tick_of
from irqsim.analysis.occurrence import Body, Frame, Slot

LEAD_NS: Final = 1_000_000
"""How long a replay runs before the first record, to get where the log begins."""
NR_VECTORS: Final = 10


@define(eq=False)
class TaskStory:
    """A task, as the log shows it."""

    pid: int
    name: str
    """What the scenario calls it: its comm, if no other task has that."""
    first_comm: str
    comm: str
    is_scripted: bool
    """Not one of those that the model runs by itself."""
    prio: int = 120
    state: str = "asleep"
    bodies: list[Body] = field(factory=list)
    """Its sections, from coming to run to giving way."""


@define(eq=False)
class DeviceStory:
    """An action of an interrupt line."""

    irq: int
    name: str
    handlers: list[Body] = field(factory=list)
    threads: list[Body] = field(factory=list)


@define(eq=False)
class CpuPlace:
    """Where the walk is on one CPU."""

    cpu: int
    stack: list[Frame] = field(factory=list)
    pid: int = 0
    """Of the task that runs."""
    is_fresh: bool = True
    """No record of it has been seen yet."""
    is_wanted: bool = False
    """need_resched is set."""
    wanted_slot: Slot | None = None
    left_ns: int | None = None
    """When the last interrupt or softirq on top of the task ended; None: the task went on."""
    softirq_ns: int = 0
    """Time since then that belongs to a softirq that has not begun."""
    is_tail: bool = False
    """The record is of an interrupt whose handlers are done."""
    in_softirqs: bool = False
    """The last to happen was the end of a vector: what runs next goes on with its round."""
    is_bh_off: bool = False
    lead_slot: Slot | None = None
    """Before the log, where its first task is ksoftirqd: what that is woken for."""
    raise_bh: Slot | None = None
    """Before the last raise in a task's code."""
    last_body: Body | None = None
    last_softirq: Body | None = None
    """Of the last interrupt, and of the last softirq."""
    last_irq: int = -1
    last_names: list[str] = field(factory=list)
    """Its actions that have been called."""
    raised: list[list[Slot]] = field(factory=lambda: [[] for _ in range(NR_VECTORS)])
    """By vector: the raises that no run has answered."""
    spare: list[list[Slot]] = field(factory=lambda: [[] for _ in range(NR_VECTORS)])

    def left_or(self, now_ns: int) -> int:
        """When the last interrupt ended, or now."""
        return now_ns if self.left_ns is None else self.left_ns


class Story:
    """All of it."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.start_ns = capture.start_ns
        """The trace clock at the first record."""
        self.hz, phase_ns = tick_of(capture.records)
        tick_ns = 1_000_000_000 // self.hz
        self.lead_ns = LEAD_NS + (self.start_ns - phase_ns - LEAD_NS) % tick_ns
        """The run's time at the first record: so that ticks are where the capture has them."""
        self.end_ns = 0
        self.places = [CpuPlace(cpu) for cpu in range(capture.nr_cpus)]
        self.tasks: dict[int, TaskStory] = {}
        self.devices: dict[tuple[int, str], DeviceStory] = {}
        self.arrivals: dict[int, list[tuple[int, int]]] = {}
        """By line: when, and on which CPU."""
        self.softirqs: dict[int, list[Body]] = {}
        self.idle: list[list[Body]] = [[] for _ in self.places]
        self.ksoftirqd: dict[str, list[Body]] = {
            f"ksoftirqd/{place.cpu}": [] for place in self.places
        }
        self.ipis: list[Body] = []
        self.switches: list[tuple[int, int, str, str]] = []
        self.nr_unseen_wakeups = 0
        self.nr_unseen_raises = 0
        self.nr_unseen_ipis = 0
        self.nr_left_out = 0
        self._comms: dict[str, int] = {}

    def idle_name(self, cpu: int) -> str:
        return f"swapper/{cpu}"

    def task_of(self, pid: int, comm: str, cpu: int) -> TaskStory:
        """The task of a pid; comm is what it is called now."""
        task = self.tasks.get(pid)
        if task is None:
            if pid == 0:
                return TaskStory(0, self.idle_name(cpu), comm, comm, False, state="ready")
            is_scripted = pid not in self.capture.thread_of and not KSOFTIRQD.fullmatch(comm)
            is_taken = self._comms.setdefault(comm, pid) != pid
            name = f"{comm[: 14 - len(str(pid))]}-{pid}" if is_taken and is_scripted else comm
            task = self.tasks[pid] = TaskStory(pid, name, comm, comm, is_scripted)
        return task

    def device(self, irq: int, name: str) -> DeviceStory:
        """The action of that name on a line."""
        return self.devices.setdefault((irq, name), DeviceStory(irq, name))
