"""A capture condensed: what a replay has occurrence by occurrence, as distributions.

The scenario says what the drivers and tasks do on the whole: how often each line interrupts, how
long its handler takes, what it raises and whom it wakes, and how often.  It is a model to turn
knobs on, for as long as one likes and with any seed; order and times of the capture are gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import fmean, median, pstdev
from typing import Final

from irqsim.analysis.import_text import Writer, shown_short, table
from irqsim.analysis.occurrence import Body, duration_text, time_text
from irqsim.analysis.story import DeviceStory, TaskStory
from irqsim.units import SOFTIRQ_NAMES

BUILT_IN: Final = ("TIMER", "SCHED", "RCU", "HRTIMER")
"""Vectors that the model itself raises and runs."""
ENDLESS_NS: Final = 10**12
REGULAR: Final = 0.15
"""Gaps that spread by less than this part of their mean are a period."""
RARE: Final = 0.02
"""What happens less often than this is left out."""
SLEEPS: Final = re.compile(r"switch [SDIX]$")
_RAISE: Final = re.compile(r"raise_softirq (\S+)$")
_WAKEUP: Final = re.compile(r"(?:sched_wakeup|activate) (.*) [0-9]+$")
_WORK: Final = re.compile(r"softirq_work NET_RX ([0-9]+)$")
_POLL: Final = re.compile(r"event(?:_irqs_off)? napi_poll: .* work ([0-9]+) budget ([0-9]+)$")
KERNELS: Final = re.compile(r"(rcu|migration/|ksoftirqd/|irq/|cpuhp/|idle_inject/)")
"""Threads whose work the model does in its own way, or not at all."""


class FitWriter(Writer):
    """Writes one story down as distributions."""

    def _parts(self, notes: list[str]) -> Iterator[str]:
        yield self._head(notes)
        yield from self._fit_settings()
        for device in self._devices():
            if not self.capture.lines[device.irq].is_percpu:
                yield self._fit_device(device)
        yield self._fit_softirqs()
        for task in self._fit_tasks():
            yield self._fit_task(task)

    def _what(self) -> list[str]:
        return ["# Made by irqsim import --fit: rates, durations and chances as they were seen."]

    def _notes(self) -> list[str]:
        return [*self._unknown(), "order and times of the log are not in here"]

    def _fit_settings(self) -> Iterator[str]:
        story, capture = self.story, self.capture
        duration_ns = max(1_000_000, story.end_ns - story.lead_ns)
        yield table("run", duration=time_text(duration_ns))
        yield table("machine", arch=capture.arch, cpus=capture.nr_cpus, irqchip=self._irqchip())
        yield table("kernel", release=capture.release, preempt="voluntary", hz=story.hz,
                    threadirqs=capture.is_threaded)
        yield table("trace", events=self._events())

    # -- devices ---------------------------------------------------------------------------

    def _fit_device(self, device: DeviceStory) -> str:
        line = self.capture.lines[device.irq]
        is_default = line.is_default(device.name)
        arrivals = self.story.arrivals.get(device.irq, [])
        values: dict[str, object] = {"name": device.name, "spi": self._spi(device.irq),
                                     "irq": device.irq, "trigger": "edge"}
        flags = self._flags(line, is_default)
        if flags:
            values["flags"] = flags
        cpus = sorted({cpu for _, cpu in arrivals})
        if cpus:
            values["affinity"] = cpus[:1]
        napi = self._napi_of(device)
        nr_packets = 1 if napi is None else napi[0]
        if line.names[0] == device.name and arrivals:
            lead_ns, end_ns = self.story.lead_ns, self.story.end_ns - self.story.lead_ns
            times = [max(0, time_ns - lead_ns) for time_ns, _ in arrivals]
            values["arrivals"] = {**_rate(times, nr_packets), **_span(times, end_ns)}
        if device.handlers or not is_default:
            bodies = device.handlers
            steps = [f"run {spread_of(line.durations.get(device.name, []))}"]
            if napi is not None:
                steps.append(f"napi_schedule {_napi_name(device)}")
            skipped = ("NET_RX",) if napi is not None else ()
            values["handler"] = [*steps, *self._effects(bodies, skipped)]
        if line.threads and not (line.is_forced and not line.secondary):
            took = [body.cpu_ns for body in device.threads if body.cpu_ns < ENDLESS_NS]
            values["thread"] = [f"run {spread_of(took)}"]
        text = self._measured(device, line, arrivals) + table("[device]", **values)
        if napi is not None:
            _, weight, packet_ns = napi
            text += "\n" + table("[napi]", name=_napi_name(device), device=device.name,
                                 weight=weight, packet=duration_text(packet_ns))
        return text

    def _napi_of(self, device: DeviceStory) -> tuple[int, int, int] | None:
        """Packets of an interrupt, weight, and what one packet costs: of a network card.

        It is one if its interrupts lead to polls that find something.
        """
        bodies = self.story.softirqs.get(SOFTIRQ_NAMES.index("NET_RX"), [])
        todo = [number for body in device.handlers for number in _works(body)]
        nr_packets = weight = took_ns = 0
        while todo:
            body = bodies[todo.pop() - 1]
            todo += _works(body)
            for match in filter(None, map(_POLL.match, body.texts())):
                nr_packets += int(match[1])
                weight = max(weight, int(match[2]))
            took_ns += body.cpu_ns if body.cpu_ns < ENDLESS_NS else 0
        if not nr_packets or self.capture.is_threaded:
            return None
        each = max(1, round(nr_packets / len(device.handlers)))
        return each, weight, max(1_000, took_ns // nr_packets // 1_000 * 1_000)

    def _effects(self, bodies: Sequence[Body], skipped: Iterable[str] = ()) -> list[object]:
        """What occurrences of code raise, and whom they wake, each with its chance."""
        counts: dict[str, int] = {}
        known = [task.name for task in self._fit_tasks()]
        for body in bodies:
            seen: dict[str, None] = {}
            for text in body.texts():
                match = _RAISE.match(text)
                if match and match[1] not in (*BUILT_IN, *skipped):
                    seen[text] = None
                match = _WAKEUP.match(text)
                if match and match[1] in known:
                    seen[f"wake_up_process {match[1]}"] = None
            for step in seen:
                counts[step] = counts.get(step, 0) + 1
        steps: list[object] = []
        for step, count in counts.items():
            chance = count / len(bodies)
            if chance > 1 - RARE:
                steps.append(step)
            elif chance >= RARE:
                steps.append({"chance": round(chance, 3), "do": [step]})
        return steps

    def _fit_softirqs(self) -> str:
        values: dict[str, object] = {}
        has_napi = any(self._napi_of(device) is not None for device in self.story.devices.values())
        for vec, bodies in sorted(self.story.softirqs.items()):
            name = SOFTIRQ_NAMES[vec]
            if name in BUILT_IN or (name == "NET_RX" and has_napi):
                effects = self._effects(bodies)
                if effects:
                    values[name] = effects
                continue
            took = [body.cpu_ns for body in bodies if body.cpu_ns < ENDLESS_NS]
            values[name] = [f"run {spread_of(took)}", *self._effects(bodies, (name,))]
        return table("softirq", **values) if values else ""

    # -- tasks -----------------------------------------------------------------------------

    def _fit_tasks(self) -> list[TaskStory]:
        """Tasks that ran often enough to say how: at least three rounds."""
        return [
            task for task in self._tasks()
            if not KERNELS.match(task.name)
            and sum(0 < ns < ENDLESS_NS for _, ns in _rounds(task.bodies)) >= 3
        ]

    def _fit_task(self, task: TaskStory) -> str:
        rounds = list(_rounds(task.bodies))
        took = [ns for _, ns in rounds if 0 < ns < ENDLESS_NS]
        cpus = sorted({body.cpu for body in task.bodies})
        values: dict[str, object] = {"name": task.name, **self._policy(task)}
        if task.first_comm != task.name:
            values["comm"] = task.first_comm
        if len(cpus) < self.capture.nr_cpus:
            values["affinity"] = cpus
        values["loop"] = True
        run = f"run {spread_of(took)}"
        if self._is_woken(task.name):
            values["run"] = ["schedule", run]
            why = "woken by interrupts"
        else:
            gaps = [later - begun - ns for (begun, ns), (later, _) in pairwise(rounds)]
            sleep_ns = max(1_000_000, int(fmean(gaps)) if gaps else 1_000_000)
            values["run"] = [run, f"msleep {duration_text(sleep_ns // 1_000 * 1_000)}"]
            why = "woken by timers or tasks"
        middle = shown_short(int(median(took)) if took else 0)
        head = f"# {len(rounds)} rounds, {middle} in the middle; {why}\n"
        return head + table("[task]", **values)

    def _is_woken(self, name: str) -> bool:
        """Whether handlers or softirqs of ours wake it."""
        bodies: list[Body] = []
        for device in self.story.devices.values():
            if not self.capture.lines[device.irq].is_percpu:
                bodies += device.handlers
        for softirq in self.story.softirqs.values():
            bodies += softirq
        marks = (f"sched_wakeup {name} ", f"activate {name} ")
        return any(text.startswith(marks) for body in bodies for text in body.texts())


def _rounds(bodies: Iterable[Body]) -> Iterator[tuple[int, int]]:
    """A task's rounds from being woken to sleeping: when each began, and its CPU time."""
    began_ns, took_ns = None, 0
    for body in bodies:
        began_ns = body.time_ns if began_ns is None else began_ns
        took_ns += body.cpu_ns
        texts = body.texts()
        if texts and SLEEPS.match(texts[-1]):
            yield began_ns, took_ns
            began_ns, took_ns = None, 0
    if began_ns is not None:
        yield began_ns, took_ns


def _rate(times: Sequence[int], nr_packets: int) -> dict[str, object]:
    """Arrivals like those of the capture: periodic if the gaps are alike, random if not."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if not gaps:
        return {"every": duration_text(max(1_000, times[0])), "count": 1}
    mean_ns = max(1_000, int(fmean(gaps)) // 1_000 * 1_000)
    if nr_packets > 1:
        gap_ns = max(1_000, mean_ns // nr_packets // 10 // 1_000 * 1_000)
        return {"burst": nr_packets, "gap": duration_text(gap_ns), "every": duration_text(mean_ns)}
    if len(gaps) > 2 and pstdev(gaps) < REGULAR * mean_ns:
        return {"every": duration_text(mean_ns)}
    return {"poisson": duration_text(mean_ns)}


def _span(times: Sequence[int], end_ns: int) -> dict[str, object]:
    """When the arrivals begin and end, if that is not all the time."""
    span: dict[str, object] = {}
    if len(times) > 1 and times[0] > end_ns // 10:
        span["start"] = duration_text(times[0] // 1_000 * 1_000)
    if len(times) > 1 and times[-1] < end_ns - end_ns // 10:
        span["until"] = duration_text((times[-1] // 1_000 + 1) * 1_000)
    return span


def spread_of(durations: Sequence[int]) -> str:
    """A duration of the language for what was measured.

    The same for all if they are; else normal, or exponential where they spread as far as that,
    or uniform where few are known.
    """
    known = sorted(ns for ns in durations if ns > 0)
    if not known:
        return "1us"
    mean_ns = max(1_000, round(fmean(known) / 1_000) * 1_000)
    if known[-1] - known[0] < 1_000:
        return duration_text(mean_ns)
    if len(known) < 5:
        low, high = max(1_000, known[0] // 1_000 * 1_000), -(-known[-1] // 1_000) * 1_000
        return f"{duration_text(low)}..{duration_text(high)}"
    sigma_ns = max(1_000, round(pstdev(known) / 1_000) * 1_000)
    if sigma_ns > mean_ns * 7 // 10:
        return f"~{duration_text(mean_ns)}"
    return f"{duration_text(mean_ns)}±{duration_text(sigma_ns)}"


def _works(body: Body) -> list[int]:
    """The runs of NET_RX that an occurrence asks for."""
    matches = map(_WORK.match, body.texts())
    return [int(match[1]) for match in matches if match is not None]


def _napi_name(device: DeviceStory) -> str:
    return f"{device.name}-rx"
