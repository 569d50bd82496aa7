"""Captures of real kernels, and what the scenarios that tell the same print.

In `captures/` are scenarios that unmodified kernels ran (Debian's 6.1 and 6.12 for arm64, in
an emulator whose time is the count of its instructions), each with the lines that the kernel
printed for it, those of the CPUs of the scenario.

The others are captures of whole machines, kept elsewhere.  Each scenario in `mirror/` tells
the lines, handlers and tasklets of one, and when its lines were made pending.  What the
platform did on its own account (ticks, IPIs, other devices, RCU's tasks) is left out on both
sides; where it shows in what is compared, the scenario has devices called `platform ...` for
it, and says so.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import dropwhile
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve

from irqsim.scenario.reader import read_scenario
from irqsim.units import SOFTIRQ_NAMES
from tests.reality import (
    ALL_EVENTS,
    PLATFORM_VECTORS,
    Cast,
    Run,
    Story,
    difference,
    lines_of,
    run,
    run_in_the_lab,
)

RECORDED: Final = sorted((Path(__file__).parent / "captures").glob("*/scenario.toml"))
OTHERWISE: Final[dict[str, str]] = {
}
"""Where what was recorded and ours are known to disagree, and why."""

MIRRORS: Final = Path(__file__).parent / "mirror"
ARM64: Final = (
    "plain", "shared", "tasklet", "threaded", "workqueue", "raise-inside", "long", "disable",
    "multi", "affinity", "threadirqs-threaded",
)  # fmt: skip
ARM: Final = ("armhf-shared", "armhf-tasklet")
TOLD: Final = (*ARM64, *ARM)
VECTORS: Final = ("HI", "TASKLET")
"""The vectors that nobody but these scenarios raises."""

SLEEPERS: Final = dict.fromkeys(("tasklet", "armhf-tasklet"), ("init",))
"""Tasks whose sleeping and waking are part of the story."""


@cache
def mirrored(name: str) -> Run:
    """A mirror that has run."""
    return run(MIRRORS / f"{name}.toml")


@pytest.fixture
def capture(request: pytest.FixtureRequest, reference: Path) -> Path:
    """The folder of a capture."""
    name: str = request.param
    machine = "armhf-gicv2" if name in ARM else "arm64-gicv3"
    _, forced, workload = name.removeprefix("armhf-").rpartition("threadirqs-")
    return reference / "captures" / f"{machine}-4cpu-{forced}mod-{workload}"


def told(name: str, log: str) -> dict[int, list[str]]:
    """What the lab's lines, threads and tasklets did, from their first event to their last."""
    cast = Cast.of(mirrored(name).spec, VECTORS)
    devices = tuple(device for device in cast.devices if not device.startswith("platform"))
    story = Story(evolve(cast, devices=devices, tasks=SLEEPERS.get(name, ())))
    lines = dropwhile(lambda line: " name=lab" not in f" {line.text}", lines_of(log))
    return {cpu: _to_the_end(events) for cpu, events in story.tell(lines).items()}


def _to_the_end(events: list[str]) -> list[str]:
    """Without what tasks do when all is over."""
    last = max(n for n, event in enumerate(events) if " sched_" not in event or "lab" in event)
    # The lab's task sleeps in usleep_range(), in state D; that of the mirror in schedule().
    return [event.replace("init D ==>", "init S ==>") for event in events[: last + 1]]


def recorded() -> list[Any]:
    """The recorded scenarios, those with a known difference expected to fail."""
    return [
        pytest.param(
            path,
            id=path.parent.name,
            marks=pytest.mark.xfail(reason=OTHERWISE[path.parent.name], strict=True)
            if path.parent.name in OTHERWISE
            else (),
        )
        for path in RECORDED
    ]


@pytest.mark.parametrize("scenario", recorded())
def test_events_are_those_that_were_recorded(scenario: Path) -> None:
    """On every CPU: tasks, flag columns, names, vectors, and who wakes and runs."""
    spec = read_scenario(scenario, (ALL_EVENTS,))
    helpers = tuple(f"ksoftirqd/{cpu}" for cpu in range(spec.machine.cpus))
    cast = Cast.of(spec, (name for name in SOFTIRQ_NAMES if name not in PLATFORM_VECTORS))
    cast = evolve(cast, tasks=(*cast.tasks, *helpers))
    real = Story(cast).tell(lines_of((scenario.parent / "trace").read_text()))
    ours = Story(cast).tell(lines_of(run_in_the_lab(spec).log))
    assert real
    for cpu in range(spec.machine.cpus):
        diff = difference(real.get(cpu, []), ours.get(cpu, []))
        assert not diff, f"CPU {cpu}:\n{diff}"


def counts(text: str) -> dict[str, tuple[int, ...]]:
    """The numbers of a table of /proc, by what stands before and behind them in the row."""
    rows = re.findall(r"^ *([\w ]+):((?: +\d+)+)(?: +(.*))?$", text, re.MULTILINE)
    return {f"{name}: {rest}": tuple(map(int, row.split())) for name, row, rest in rows}


def gained(capture: Path, file: str) -> dict[str, tuple[int, ...]]:
    """How much each row of a table grew while the capture was taken."""
    before = counts((capture / f"{file}.before").read_text())
    after = counts((capture / file).read_text())
    grown = {
        name: tuple(new - old for new, old in zip(row, before[name], strict=True))
        for name, row in after.items()
    }
    return {name: row for name, row in grown.items() if any(row)}


def files_of(capture: Path, listing: str, directory: str) -> dict[str, str]:
    """The files below a directory, from a listing of `path: text`, or `path:` and lines.

    The listing does not tell whether an empty file has a line; ours have none.
    """
    files: dict[str, str] = {}
    path = ""
    for line in (capture / listing).read_text().splitlines():
        if line.startswith("/"):
            path, _, text = line.partition(":")
            files[path] = f"{text[1:]}\n" if text[1:] else ""
        else:
            files[path] += f"{line}\n"
    return {path: text for path, text in files.items() if path.startswith(directory)}


def each(*names: str) -> pytest.MarkDecorator:
    """Parametrise a test with captures and the names of their mirrors."""
    pairs = [pytest.param(name, name, id=name) for name in names]
    return pytest.mark.parametrize(("capture", "name"), pairs, indirect=["capture"])


@each(*TOLD)
def test_events_are_those_of_the_capture(capture: Path, name: str) -> None:
    """On every CPU: tasks, flag columns, names, what the handlers returned, vectors."""
    real = told(name, (capture / "trace").read_text())
    ours = told(name, mirrored(name).log)
    assert ours.keys() == real.keys()
    for cpu, events in real.items():
        diff = difference(events, ours[cpu])
        assert not diff, f"CPU {cpu}:\n{diff}"


@each(*TOLD, "nobody")
def test_interrupts_are_counted_like_those_of_the_capture(capture: Path, name: str) -> None:
    """/proc/interrupts: numbers, CPUs, chip, hwirq, trigger and actions of the lab's lines."""
    ours = counts(mirrored(name).simulation.read_file("/proc/interrupts"))
    real = gained(capture, "proc_interrupts")
    assert _of_the_lab(ours) == _of_the_lab(real)


def _of_the_lab(rows: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {name: row for name, row in rows.items() if " lab" in name and any(row)}


@each(*TOLD)
def test_softirqs_are_counted_like_those_of_the_capture(capture: Path, name: str) -> None:
    """/proc/softirqs counts how often a vector ran, not how often it was raised."""
    ours = counts(mirrored(name).simulation.read_file("/proc/softirqs"))
    real = gained(capture, "proc_softirqs")
    for vector in VECTORS:
        assert ours[f"{vector}: "] == real.get(f"{vector}: ", (0, 0, 0, 0))


@each("plain", "shared")
def test_files_of_a_line_are_those_of_the_capture(capture: Path, name: str) -> None:
    """/proc/irq/N and /sys/kernel/irq/N say the same, file by file."""
    mirror = mirrored(name)
    number = next(device.irq for device in mirror.spec.devices if device.irq is not None)
    ours = {f"/{path}": text for path, text in mirror.simulation.tree()}
    for listing in ("proc_irq.txt", "sys_kernel_irq.txt"):
        directory = f"/{listing.removesuffix('.txt').replace('_', '/')}/{number}/"
        real = files_of(capture, listing, directory)
        assert real
        assert {path: ours[path] for path in ours if path.startswith(directory)} == real


@each("disable")
def test_edges_that_come_while_disabled_are_one_interrupt(capture: Path, name: str) -> None:
    """Five were injected, one was counted: see the workload of the capture."""
    assert "inject 5" in (capture / "cmdline.txt").read_text()
    entries = [line for line in lines_of(mirrored(name).log) if line.event == "irq_handler_entry"]
    assert [line.fields["name"] for line in entries].count("lab-plain") == 1
    devices = mirrored(name).simulation.machine.drivers
    assert devices["lab-plain"].device.nr_arrivals == 5


@each("nobody")
def test_interrupt_that_nobody_handles_is_disabled(capture: Path, name: str) -> None:
    """A hundred thousand interrupts, then silence for the rest of the run."""
    log = mirrored(name).log
    assert log.count("irq_handler_entry: irq=39 name=lab-nobody") == 100_000
    real = told(name, (capture / "trace").read_text())[0]
    # The middle was not recorded: the capture goes on after an entry that has no exit.
    is_entry = ["irq_handler_entry" in event for event in real]
    begun = next(n for n in range(1, len(real)) if is_entry[n] and is_entry[n - 1])
    ended = len(real) - begun
    assert begun > 100 and ended > 50
    lines = log.splitlines()
    first, last = "\n".join(lines[: begun + 50]), "\n".join(lines[-ended - 5000 :])
    assert not difference(real[:begun], told(name, first)[0][:begun])
    assert not difference(real[begun:], told(name, last)[0][-ended:])


@each("nobody")
def test_complaint_about_an_interrupt_that_nobody_handles(capture: Path, name: str) -> None:
    """The lines of the kernel log that tell of it, and the detector's own file."""
    simulation = mirrored(name).simulation
    wanted = re.compile(r"irq \d+: nobody cared.*|handlers:|\[<[0-9a-f]{16}>\]|Disabling IRQ #\d+")
    pointer = re.compile(r"\[<[0-9a-f]{16}>\]")

    def complaint(log: str) -> list[str]:
        texts = [line.partition("] ")[2] for line in log.splitlines()]
        return [pointer.sub("[<>]", found[0]) for found in map(wanted.match, texts) if found]

    real = complaint((capture / "dmesg.tail").read_text())
    assert len(real) == 4
    assert complaint(simulation.dmesg()) == real
    number = re.compile(r"(?<=last_unhandled )\d+")
    spurious = simulation.read_file("/proc/irq/39/spurious")
    assert number.sub("N", spurious) == number.sub("N", (capture / "spurious").read_text())
    for line in (capture / "sys_kernel_irq.txt").read_text().splitlines():
        path, _, text = line.partition(":")
        assert simulation.read_file(path) == f"{text}\n"


def taken_over(log: str) -> dict[str, list[str]]:
    """What became of each vector that nobody else raises: where, and in which context."""
    told: dict[str, list[str]] = {}
    for line in lines_of(log):
        vector = line.text.partition("action=")[2].rstrip("]")
        if line.event.startswith("softirq_") and vector not in PLATFORM_VECTORS:
            # When need_resched is set, and who runs it, hangs on how long the other steps take.
            where = f"CPU {line.cpu} {line.letters[0]}{line.letters[2]} {line.event}"
            told.setdefault(vector, []).append(where)
    return told


def test_a_cpu_goes_as_in_the_capture(reference: Path) -> None:
    """What the next CPU takes over, the kernel log, and the columns of the tables."""
    capture = reference / "captures" / "arm64-gicv3-4cpu-hotplug"
    mirror = mirrored("hotplug")
    assert taken_over(mirror.log) == taken_over((capture / "trace").read_text())
    real = [line.partition("] ")[2] for line in (capture / "dmesg.tail").read_text().splitlines()]
    ours = [line.partition("] ")[2] for line in mirror.simulation.dmesg().splitlines()]
    assert ours == real[-4:]
    shown = {path: text for _, path, text in mirror.simulation.snapshots}
    for path, file in (("/proc/interrupts", "interrupts"), ("/proc/softirqs", "softirqs")):
        with (capture / f"proc_{file}.cpu1-offline").open() as table:
            assert shown[path].splitlines()[0] == table.readline().rstrip("\n")
    assert "#P:3" in shown["/sys/kernel/tracing/trace"]


def calls(log: str) -> list[list[str]]:
    """What each call of a function on one other CPU showed: where it was made, and there."""
    lines = list(lines_of(log))
    told = []
    for number, line in enumerate(lines):
        mask = re.fullmatch(r"target_mask=0{8},(\w{8}) \(Function call interrupts\)", line.text)
        if line.event != "ipi_raise" or mask is None or line.letters != ".....":
            continue
        target = int(mask[1], 16).bit_length() - 1
        if int(mask[1], 16) != 1 << target:
            continue
        there = [each for each in lines[number:] if each.cpu == target]
        first = next(n for n, each in enumerate(there) if each.text == "irq=2 name=IPI")
        group = [each for each in there[first : first + 8] if each.event[:3] in ("irq", "ipi")][:4]
        said = [f"{each.comm} {each.letters} {each.event} {each.text}" for each in group]
        told.append([f"{line.comm} to CPU {target}", *said])
    return told


def test_functions_are_called_as_in_the_capture(reference: Path) -> None:
    """Ten on each other CPU: an interrupt of its own each, in its idle task."""
    real = calls((reference / "captures/arm64-gicv3-4cpu-mod-ipicall/trace").read_text())
    assert len(real) == 30
    assert calls(mirrored("ipicall").log) == real
