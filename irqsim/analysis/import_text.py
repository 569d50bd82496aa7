"""A capture as a scenario: the TOML, and the files beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Final

from attrs import define, field

from irqsim.analysis.capture import TIMER, Capture, LineFacts
from irqsim.analysis.occurrence import Body, duration_text, time_text
from irqsim.analysis.story import DeviceStory, Story, TaskStory
from irqsim.events import TRACEPOINT_BY_NAME
from irqsim.units import SOFTIRQ_NAMES

KTHREAD: Final = re.compile(
    r"kworker|ksoftirqd|ktimers|rcu|migration|kthreadd|cpuhp|idle_inject|irq/|napi/|jbd2|kswapd"
    r"|khugepaged|kcompactd|oom_reaper|writeback|kdevtmpfs|khungtaskd|kauditd|watchdog"
)
"""How the kernel's own threads are called; all others are taken for processes."""
SPI_MAX: Final = 987
TIMER_PPI: Final = 11
OTHER_PPI: Final = 7
"""Where per-CPU devices but the timer are put: 7 is the PMU's on many machines."""
_TRACING_ON: Final = "/sys/kernel/tracing/tracing_on"


@define
class Scenario:
    """What `irqsim import` writes."""

    toml: str
    files: dict[str, str]
    """By name, below the directory that the scenario names."""
    notes: list[str] = field(factory=list)
    """What the log does not say, and what was made of it."""


class Writer:
    """Writes one story down."""

    def __init__(self, story: Story, directory: str, costs: Sequence[str]) -> None:
        """`directory` is where the files will be; `costs` are the keys of `[cost]`."""
        self.story = story
        self.capture: Capture = story.capture
        self.directory = directory
        self.costs = costs
        self.files: dict[str, str] = {}
        self._spis: dict[int, int] = {}

    def write(self) -> Scenario:
        """All of it."""
        notes = self._notes()
        parts = [part for part in self._parts(notes) if part]
        return Scenario("\n".join(parts), self.files, notes)

    def _parts(self, notes: list[str]) -> Iterator[str]:
        """The parts of the scenario, in their order."""
        yield self._head(notes)
        yield from self._settings()
        yield from self._affinity()
        for device in self._devices():
            yield self._device(device)
        yield self._softirqs()
        yield self._replay()
        for task in self._tasks():
            yield self._task(task)

    # -- the head --------------------------------------------------------------------------

    def _head(self, notes: list[str]) -> str:
        story, capture = self.story, self.capture
        last_ns = story.end_ns - story.lead_ns
        lines = [
            f"# From {capture.name}: {len(capture.records)} records on {capture.nr_cpus}"
            f" CPUs in {last_ns / 1e6:.1f} ms.",
            *self._what(),
        ]
        lines += [f"# {note[0].upper()}{note[1:]}." for note in notes]
        return "\n".join(lines) + "\n"

    def _what(self) -> list[str]:
        return [
            "# Made by irqsim import to replay it; what each interrupt, softirq and task did is in",
            f"# {self.directory}/, one line per occurrence.",
        ]

    def _notes(self) -> list[str]:
        story, capture = self.story, self.capture
        counted = (
            (capture.nr_lost, "records were lost before the log was read"),
            (capture.nr_tracer, "records of functions and stacks are left out"),
            (story.nr_unseen_wakeups, "wake-ups are not in the log: each is put before the task "
             "runs, where somebody was first wanted to run"),
            (story.nr_unseen_ipis, "inter-processor interrupts have no sender in the log: they "
             "come at their times by themselves"),
            (story.nr_unseen_raises, "runs of softirqs have no raise in the log: the interrupt "
             "before them is taken for it"),
            (story.nr_left_out, "records are left out: they end what had not begun"),
        )
        notes = [f"{count} {what}" for count, what in counted if count]
        if not capture.has("sched_switch"):
            notes.append("there are no sched_switch lines: who runs is told by the task column")
        return notes + self._unknown()

    def _unknown(self) -> list[str]:
        """What was made of what no log says."""
        capture, notes = self.capture, []
        for line in capture.lines.values():
            for name in line.names:
                if line.threads and line.is_default(name) and not line.is_forced:
                    notes.append(f"{name!r} is taken for a device without a handler of its own: "
                                 f"its handlers are short and it has a thread")
        notes.append("which SPIs the lines have, which sections had interrupts off and why a "
                     "handler took its time, no log says")
        return notes

    def _settings(self) -> Iterator[str]:
        story, capture = self.story, self.capture
        clock_ns = max(0, story.start_ns - story.lead_ns)
        yield table("run", duration=time_text(story.end_ns), tick="1ns", clock=f"{clock_ns}ns")
        yield table("machine", arch=capture.arch, cpus=capture.nr_cpus, irqchip=self._irqchip())
        yield table("kernel", release=capture.release, preempt="voluntary", hz=story.hz,
                     threadirqs=capture.is_threaded)
        yield "# All time is in the files: the kernel's own costs are part of it.\n" + table(
            "cost", **dict.fromkeys(self.costs, "0ns")
        )
        yield table("trace", events=self._events())
        yield table("[at]", time="0s", do=[f"echo 0 > {_TRACING_ON}"])
        on_ns = story.lead_ns - story.lead_ns // 10
        yield table("[at]", time=time_text(on_ns), do=[f"echo 1 > {_TRACING_ON}"])

    def _irqchip(self) -> str:
        capture = self.capture
        return "gic-v2" if capture.arch == "arm" and capture.nr_cpus <= 8 else "gic-v3"

    def _events(self) -> list[str]:
        """The events of the log that are declared here."""
        found = (TRACEPOINT_BY_NAME.get(name) for name in self.capture.events)
        return [
            f"{each.system}:{each.name}" for each in found
            if each is not None and each.system != "ftrace"
        ]

    def _affinity(self) -> Iterator[str]:
        """A line that moves: an operator moves it, half-way between two interrupts."""
        for irq, arrivals in self.story.arrivals.items():
            if self.capture.lines[irq].is_percpu:
                continue
            for (before_ns, before), (now_ns, now) in pairwise(arrivals):
                if before != now:
                    path = f"/proc/irq/{irq}/smp_affinity_list"
                    at_ns = (before_ns + now_ns) // 2
                    yield table("[at]", time=time_text(at_ns), do=[f"echo {now} > {path}"])

    # -- devices ---------------------------------------------------------------------------

    def _devices(self) -> list[DeviceStory]:
        order = {irq: self.capture.lines[irq].names for irq in sorted(self.capture.lines)}
        devices = self.story.devices
        return [devices[irq, name] for irq, names in order.items() for name in names
                if (irq, name) in devices]

    def _device(self, device: DeviceStory) -> str:
        line = self.capture.lines[device.irq]
        is_default = line.is_default(device.name)
        arrivals = self.story.arrivals.get(device.irq, [])
        values: dict[str, object] = {"name": device.name}
        if line.is_percpu:
            values["ppi"] = TIMER_PPI if device.name == TIMER else OTHER_PPI
        else:
            values["spi"] = self._spi(device.irq)
        if device.name != TIMER:
            # The kernel has mapped the timer's line before any driver asks for one.
            values["irq"] = device.irq
        values["trigger"] = "edge"
        flags = self._flags(line, is_default)
        if flags:
            values["flags"] = flags
        if arrivals and not line.is_percpu:
            values["affinity"] = [arrivals[0][1]]
        if line.names[0] == device.name and arrivals:
            values["arrivals"] = {"file": self._times(device, line, arrivals)}
        if device.handlers:
            values["handler"] = [self._steps(f"{device.name}.handler", device.handlers)]
        elif not is_default or line.is_forced:
            values["handler"] = []
        if line.threads and not (line.is_forced and not line.secondary):
            values["thread"] = [self._steps(f"{device.name}.thread", device.threads)]
        return self._measured(device, line, arrivals) + table("[device]", **values)

    def _measured(
        self, device: DeviceStory, line: LineFacts, arrivals: list[tuple[int, int]]
    ) -> str:
        """What the log says of a device, as a comment."""
        durations = sorted(line.durations.get(device.name, ()))
        if not durations:
            return ""
        cpus = sorted({cpu for _, cpu in arrivals})
        where = f" on CPU {', '.join(map(str, cpus))}" if cpus else ""
        middle, longest = shown_short(int(median(durations))), shown_short(durations[-1])
        text = f"# {len(durations)} interrupts{where}; handler {middle} in the middle,"
        text += f" {longest} at most"
        threads = sorted(body.cpu_ns for body in device.threads)
        if threads:
            text += f"; thread {shown_short(int(median(threads)))} in the middle"
        return text + "\n"

    def _flags(self, line: LineFacts, is_default: bool) -> list[str]:
        flags = ["IRQF_SHARED"] if len(line.names) > 1 else []
        if line.threads and is_default and not line.is_forced:
            flags.append("IRQF_ONESHOT")
        elif self.capture.is_threaded and not line.threads and not line.is_percpu:
            flags.append("IRQF_NO_THREAD")
        return flags

    def _spi(self, irq: int) -> int:
        """Lines of a lower number are served first, as the controller has it: irq for irq."""
        if irq not in self._spis:
            taken = self._spis.values()
            spi = irq if irq <= SPI_MAX else 0
            while spi in taken:
                spi += 1
            self._spis[irq] = spi
        return self._spis[irq]

    def _times(self, device: DeviceStory, line: LineFacts, times: list[tuple[int, int]]) -> str:
        texts = [f"# When {device.name} interrupts; behind it, where."]
        for now_ns, cpu in times:
            texts.append(f"{time_text(now_ns)} {cpu}" if line.is_percpu else time_text(now_ns))
        return self._file(f"{device.name}.times", texts)

    # -- everything else -------------------------------------------------------------------

    def _softirqs(self) -> str:
        values = {
            SOFTIRQ_NAMES[vec]: [self._steps(f"softirq.{SOFTIRQ_NAMES[vec]}", bodies)]
            for vec, bodies in sorted(self.story.softirqs.items())
        }
        return table("softirq", **values) if values else ""

    def _replay(self) -> str:
        story = self.story
        switches = [
            f"{time_text(time_ns)}\t{cpu}\t{prev}\t{following}"
            for time_ns, cpu, prev, following in story.switches
        ]
        head = "# When, on which CPU, who gave way, and who ran next."
        idle = [
            self._lines(f"idle.{cpu}", bodies) for cpu, bodies in enumerate(story.idle)
        ]
        values: dict[str, object] = {"switches": self._file("switches", [head, *switches])}
        values["idle"] = idle
        if any(story.ksoftirqd.values()):
            values["ksoftirqd"] = [
                self._lines(name.replace("/", "."), bodies)
                for name, bodies in story.ksoftirqd.items()
            ]
        if story.ipis:
            values["ipis"] = self._lines("ipis", story.ipis)
        return table("replay", **values)

    def _tasks(self) -> list[TaskStory]:
        tasks = self.story.tasks.values()
        return [task for task in tasks if task.is_scripted and task.bodies]

    def _task(self, task: TaskStory) -> str:
        values: dict[str, object] = {"name": task.name, "pid": task.pid}
        if task.first_comm != task.name:
            values["comm"] = task.first_comm
        values.update(self._policy(task))
        mode = "kernel" if KTHREAD.match(task.first_comm) else "user"
        values.update(mode=mode, asleep=True, loop=True)
        values["run"] = [self._steps(f"task.{task.name}", task.bodies)]
        ran_ns = sum(body.cpu_ns for body in task.bodies if body.cpu_ns < 10**12)
        head = f"# {len(task.bodies)} times, {shown_short(ran_ns)} in all\n"
        return head + table("[task]", **values)

    def _policy(self, task: TaskStory) -> dict[str, object]:
        """How it is scheduled, by its priority as traces print it."""
        if task.prio < 100:
            return {"policy": "fifo", "priority": min(max(99 - task.prio, 1), 99)}
        nice = min(max(task.prio - 120, -20), 19)
        return {"nice": nice} if nice else {}

    # -- files -----------------------------------------------------------------------------

    def _steps(self, name: str, bodies: list[Body]) -> dict[str, object]:
        return {"replay": self._lines(name, bodies)}

    def _lines(self, name: str, bodies: list[Body]) -> str:
        texts = [f"# {name}: when, where, and the steps of each occurrence"]
        for body in bodies:
            delay = f" +{duration_text(body.delay_ns)}" if body.delay_ns else ""
            words = f" {body.words}" if body.words else ""
            steps = "; ".join(_step(text) for text in body.texts())
            texts.append(f"{time_text(body.time_ns)} {body.cpu}{delay}{words}: {steps}")
        return self._file(name, texts)

    def _file(self, name: str, lines: list[str]) -> str:
        safe = re.sub(r"[^A-Za-z0-9_.:-]", "_", name).replace(":", "_")
        while safe in self.files:
            safe += "_"
        self.files[safe] = "\n".join(lines) + "\n"
        return f"{self.directory}/{safe}"


def _step(text: str) -> str:
    """A step as a line has it: semicolons stand between steps, but for those that join two."""
    if text.startswith(("event ", "event_irqs_off ")):
        bare = text.rstrip(" ")
        return bare.replace(";", "\\x3b") + "\\x20" * (len(text) - len(bare))
    return text


def shown_short(ns: int) -> str:
    """A time with a precision for reading."""
    return f"{ns / 1e6:.1f} ms" if ns >= 1_000_000 else f"{ns / 1e3:.0f} us"


def table(name: str, /, **values: object) -> str:
    lines = [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(str(value), ensure_ascii=False)
