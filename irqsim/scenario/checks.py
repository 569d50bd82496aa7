"""What no single key can know: the checks across keys and tables.

Each rule looks at a scenario whose keys have all been read; a table with a fault of its own
is not there, and a rule whose tables are not whole does not run, so that no fault is the
mere consequence of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from irqsim.kernel.irq.chip import GIC_PRIO_IRQON, GICD_INT_DEF_PRI
from irqsim.kernel.release import release_named
from irqsim.scenario.place import Place
from irqsim.scenario.recorded_steps import NR_IPIS
from irqsim.scenario.requests import check_requests, line_of, line_text
from irqsim.scenario.spec import (
    Body,
    DeviceSpec,
    GpioSpec,
    Listed,
    Replay,
    ScenarioSpec,
    Step,
    TaskSpec,
)
from irqsim.scenario.steps import steps_of

CPUS_MAX_OF_IRQCHIP: Final = {"gic-v2": 8, "bcm2836": 4}
CPUS_MAX_OF_ARCH: Final = {"arm": 32}
"""NR_CPUS is at most 32 on 32-bit ARM.  Source: arch/arm/Kconfig."""
LINE_KEYS: Final = ("spi", "ppi", "lpi", "gpio", "bank", "local")
OF_BCM2836: Final = ("bank", "local")
GPIO_KEYS: Final = ("spi", "bank", "device")
ENDS_A_LOOP: Final = ("schedule", "wait_event")
LINE_VERBS: Final = (
    "disable_irq",
    "disable_irq_nosync",
    "enable_irq",
    "irq_set_affinity",
    "synchronize_irq",
    "request_irq",
    "free_irq",
)
NMI_VERBS: Final = ("run", "ack", "return", "irq_work_queue", "trace_printk")
IPI_WORDS: Final = tuple(f"IPI{number}" for number in range(NR_IPIS))
DISARMS: Final = ("del_timer", "hrtimer_cancel")


@frozen
class Draft:
    """A scenario that has been read but not checked, and where its parts stand.

    ``places`` has the places of the members of each list of tables, by the list's name, and of
    each other table that is there; ``broken`` the names of tables with faults of their own.
    """

    spec: ScenarioSpec
    root: Place
    places: Mapping[str, Sequence[Place]]
    broken: frozenset[str]

    def members(self, table: str, specs: Sequence[Any]) -> Iterator[tuple[Any, Place]]:
        """The members of a list of tables, each with its place."""
        return zip(specs, self.places.get(table, ()), strict=True)

    def devices(self) -> Iterator[tuple[DeviceSpec, Place]]:
        """The devices, each with its place."""
        return self.members("device", self.spec.devices)


def check(draft: Draft) -> None:
    """Run all rules; what they find is noted at its place."""
    for rule, tables in RULES:
        if draft.broken.isdisjoint(tables):
            rule(draft)


def _check_cpus(draft: Draft) -> None:
    machine = draft.spec.machine
    for key, limits in (("irqchip", CPUS_MAX_OF_IRQCHIP), ("arch", CPUS_MAX_OF_ARCH)):
        name = getattr(machine, key)
        limit = limits.get(name, machine.cpus)
        if machine.cpus > limit:
            draft.root.at("machine").at("cpus").fault(
                f"expected at most {limit} CPUs with {name}, got {machine.cpus}"
            )


def _check_pseudo_nmi(draft: Draft) -> None:
    machine = draft.spec.machine
    if not draft.spec.kernel.pseudo_nmi:
        for device, place in draft.devices():
            if device.nmi:
                place.at("nmi").fault("request_nmi() returns -EINVAL without kernel.pseudo_nmi")
        return
    place = draft.root.at("kernel").at("pseudo_nmi")
    if (machine.arch, machine.irqchip) != ("arm64", "gic-v3"):
        place.fault(
            f"needs arm64 with gic-v3, this machine is {machine.arch} with {machine.irqchip}"
        )
    priorities = release_named(draft.spec.kernel.release).pseudo_nmi_priorities
    if priorities is None:
        place.fault(f"Linux {draft.spec.kernel.release} has none; they came with 5.1")
    if draft.spec.replay.is_there:
        place.fault("a replay has no pseudo-NMIs")
    nmis = [device.name for device in draft.spec.devices if device.nmi]
    for device, place in draft.devices():
        lowest = priorities[2] if priorities is not None else 0
        if device.priority != GICD_INT_DEF_PRI and not lowest <= device.priority < GIC_PRIO_IRQON:
            place.at("priority").fault(
                f"expected {lowest:#x} to {GIC_PRIO_IRQON - 1:#x}, got {device.priority:#x}: with "
                "kernel.pseudo_nmi others are not masked, or always"
            )
        if device.nmi:
            _check_nmi(device, place)
    for body, place in _placed_bodies(draft):
        for step in steps_of(body):
            if step.verb in LINE_VERBS and step.args[0] in nmis:
                place.fault(f"{step.verb!r}: the line of {step.args[0]!r} is an NMI's")


def _check_nmi(device: DeviceSpec, place: Place) -> None:
    """An NMI's handler may land anywhere: what takes a lock or wakes somebody it must not do."""
    if not device.probe:
        place.at("probe").fault("the line of an NMI is requested at the start")
    if device.deadline is not None:
        place.at("deadline").fault("the services of an NMI are not timed")
    for step in steps_of(device.handler or ()):
        if step.verb not in NMI_VERBS:
            place.at("handler").fault(
                f"{step.verb!r} in an NMI: it may only {', '.join(NMI_VERBS)}"
            )


def _check_lines(draft: Draft) -> None:
    """Each device has one line, of a kind that the controller has."""
    irqchip = draft.spec.machine.irqchip
    for device, place in draft.devices():
        keys = [key for key in LINE_KEYS if getattr(device, key) is not None]
        if len(keys) > 1:
            place.at(keys[1]).fault(f"the line is given twice, by {keys[0]!r} too")
        elif not keys and device.poll is None:
            place.fault(f"missing key: one of {', '.join(LINE_KEYS)}, or poll")
        elif keys:
            _check_line(device, keys[0], irqchip, draft, place.at(keys[0]))


def _check_gpios(draft: Draft) -> None:
    """Each GPIO controller is behind a line of its own, or is a device with a thread."""
    irqchip = draft.spec.machine.irqchip
    devices = {device.name: device for device in draft.spec.devices}
    taken: dict[object, str] = {}
    for gpio, place in draft.members("gpio", draft.spec.gpios):
        keys = [key for key in GPIO_KEYS if getattr(gpio, key) is not None]
        if not keys:
            place.fault(f"missing key: one of {', '.join(GPIO_KEYS)}")
            continue
        key, value = keys[0], getattr(gpio, keys[0])
        if len(keys) > 1:
            place.at(keys[1]).fault(f"its line is given twice, by {key!r} too")
        elif key == "spi" and irqchip == "bcm2836":
            place.at(key).fault(f"{irqchip} has no SPIs; use 'bank'")
        elif key == "bank" and irqchip != "bcm2836":
            place.at(key).fault(f"{irqchip} has no such line; 'bank' is a line of bcm2836")
        elif taken.setdefault((key, value), gpio.name) != gpio.name:
            what = f"SPI {value}" if key == "spi" else f"{key} {value!r}"
            place.at(key).fault(f"{what} is taken by the controller {taken[key, value]!r}")
        elif key == "device" and value in devices:
            _check_expander(gpio, devices[value], draft.spec, place)


def _check_expander(
    gpio: GpioSpec, device: DeviceSpec, spec: ScenarioSpec, place: Place
) -> None:
    """An expander is served in its device's thread, which is not behind itself."""
    if device.thread is None or device.poll is not None:
        place.at("device").fault(f"{device.name!r} has no interrupt thread to serve its lines in")
    if gpio.flow == "simple":
        place.at("flow").fault("lines that are served in a thread have no flow handler")
    above = {each.name: each.device for each in spec.gpios}
    line_of_device = {each.name: each.gpio for each in spec.devices}
    name: str | None = device.name
    for _ in spec.gpios:
        line = line_of_device.get(name or "")
        if line is not None and line[0] == gpio.name:
            place.at("device").fault(f"{device.name!r} is behind {gpio.name!r} itself")
            return
        name = None if line is None else above.get(line[0])


def _check_line(device: DeviceSpec, key: str, irqchip: str, draft: Draft, place: Place) -> None:
    has_bank = irqchip == "bcm2836"
    is_of_bcm2836 = key in OF_BCM2836
    if key != "gpio" and is_of_bcm2836 is not has_bank:
        other = "use 'bank'" if has_bank else f"{key!r} is a line of bcm2836"
        place.fault(f"{irqchip} has no such line; {other}")
    elif is_of_bcm2836 and device.trigger == "edge":
        place.fault("an edge is lost there, nothing has a latch; leave 'trigger' out")
    elif key in ("bank", "gpio") and device.affinity is not None:
        place.fault("a line of this kind is not moved; leave 'affinity' out")
    elif key == "lpi" and irqchip != "gic-v3":
        place.fault(f"{irqchip} has no LPIs; they need gic-v3")
    elif key == "lpi" and device.trigger != "edge":
        place.fault("an LPI is always an edge; set trigger to 'edge', or leave it out")
    elif device.gpio is not None:
        name, line = device.gpio
        for gpio in draft.spec.gpios:
            if gpio.name == name and not 0 <= line < gpio.lines:
                place.fault(f"expected a line of {name!r} (0 to {gpio.lines - 1}), got {line}")


def _check_devmem(draft: Draft) -> None:
    irqchip = draft.spec.machine.irqchip
    if irqchip == "bcm2836":
        for at, place in draft.members("at", draft.spec.ats):
            if any(command.verb == "devmem" for command in at.commands):
                place.at("do").fault(f"the registers of {irqchip} are not simulated")


def _check_irqs(draft: Draft) -> None:
    """A number belongs to one line, and a line has one number."""
    line_with: dict[int, object] = {}
    irq_of: dict[object, int] = {}
    for device, place in draft.devices():
        line = line_of(device)
        if device.irq is None or line is None:
            continue
        if irq_of.setdefault(line, device.irq) != device.irq:
            place.at("irq").fault(f"{line_text(device)} has the number {irq_of[line]} already")
        elif line_with.setdefault(device.irq, line) != line:
            place.at("irq").fault(f"the number {device.irq} is taken by another line")


def _check_napis(draft: Draft) -> None:
    name_with: dict[str, str] = {}
    for napi, place in draft.members("napi", draft.spec.napis):
        first = name_with.setdefault(napi.device, napi.name)
        if first != napi.name:
            place.at("device").fault(f"the packets of {napi.device!r} go to napi {first!r}")


def _check_polled(draft: Draft) -> None:
    """A polled device has no interrupt: nothing can be done with its line, nor wait for it."""
    polled = [device.name for device in draft.spec.devices if device.poll is not None]
    for device, place in draft.devices():
        if device.poll is None:
            continue
        if device.thread is not None:
            place.at("thread").fault("a polled device has no interrupt that could wake a thread")
        if device.nmi:
            place.at("nmi").fault("a polled device has no interrupt")
        if not device.probe:
            place.at("probe").fault("a polled device has no line that could be requested")
    for body, place in _placed_bodies(draft):
        for step in steps_of(body):
            if step.verb in LINE_VERBS and step.args[0] in polled:
                place.fault(f"{step.verb!r}: {step.args[0]!r} is polled and has no line")


def _placed_bodies(draft: Draft) -> Iterator[tuple[Body, Place]]:
    spec = draft.spec
    for device, place in draft.devices():
        yield device.handler or (), place.at("handler")
        yield device.thread or (), place.at("thread")
    for softirq in spec.softirqs:
        yield softirq.run, draft.root.at("softirq").at(softirq.name)
    tables = (
        ("tasklet", spec.tasklets),
        ("work", spec.works),
        ("timer", spec.timers),
        ("hrtimer", spec.hrtimers),
        ("task", spec.tasks),
    )
    for table, members in tables:
        for member, place in draft.members(table, members):
            yield member.run, place.at("run")


def _check_tasks(draft: Draft) -> None:
    name_with: dict[int, str] = {}
    for task, place in draft.members("task", draft.spec.tasks):
        assert isinstance(task, TaskSpec)
        if task.cpu is not None and task.affinity is not None:
            place.at("cpu").fault("'cpu' and 'affinity' say the same; give one of them")
        if task.mode == "kernel" and any(step.verb == "syscall" for step in steps_of(task.run)):
            place.at("run").fault("'syscall' is for tasks of mode 'user'; use 'run'")
        if task.pid is not None:
            first = name_with.setdefault(task.pid, task.name)
            if first != task.name:
                place.at("pid").fault(f"the pid {task.pid} is taken by {first!r}")


def _check_end(draft: Draft) -> None:
    """Without a duration, everything that happens again and again must end by itself."""
    spec = draft.spec
    steps = [step for body in _bodies(spec) for step in steps_of(body)]
    if spec.run.duration is not None or any(step.verb == "panic" for step in steps):
        return
    disarmed = [step.args[0] for step in steps if step.verb in DISARMS]
    for device, place in draft.devices():
        if device.poll is not None:
            place.at("poll").fault(_never_stops("a poll that no step ends"))
        if _is_never_quiet(device, spec, steps):
            place.at("ack").fault(_never_stops("a level line that no step quiets"))
        arrivals = device.arrivals
        if arrivals is None or isinstance(arrivals, Listed):
            continue
        if arrivals.until is None and arrivals.count is None:
            place.at("arrivals").fault(_never_stops("arrivals without 'until' or 'count'"))
    for table, timers in (("timer", spec.timers), ("hrtimer", spec.hrtimers)):
        for timer, place in draft.members(table, timers):
            if timer.period is not None and timer.name not in disarmed:
                place.at("period").fault(_never_stops("a period that no step ends"))
    for task, place in draft.members("task", spec.tasks):
        if task.loop and not _waits(task.run):
            place.at("loop").fault(_never_stops("a loop that never waits"))
    if not spec.kernel.nohz:
        draft.root.at("kernel").at("nohz").fault(_never_stops("a tick on idle CPUs"))


def _is_never_quiet(device: DeviceSpec, spec: ScenarioSpec, steps: list[Step]) -> bool:
    """Whether a line fires for ever: nothing quiets it, and nothing switches it off.

    What nobody handles the kernel switches off by itself: kernel/irq/spurious.c: note_interrupt.
    """
    own = [*steps_of(device.handler or ()), *steps_of(device.thread or ())]
    is_quieted = device.ack in ("start", "end") or (
        device.ack == "explicit" and any(step.verb == "ack" for step in own)
    )
    switched_off = any(
        step.verb in ("disable_irq", "disable_irq_nosync", "free_irq") and device.name in step.args
        for step in steps
    )
    return (
        device.trigger == "level"
        and device.arrivals is not None
        and not is_quieted
        and not switched_off
        and not any(step.verb == "return" and "IRQ_HANDLED" not in step.args for step in own)
        and not any(step.verb == "napi_schedule" for step in own)
        and spec.kernel.storm_threshold is None
    )


def _waits(body: Body) -> bool:
    """Whether code that loops waits somewhere: a recorded task does."""
    is_recorded = any(isinstance(item, Replay) for item in body)
    return is_recorded or any(step.verb in ENDS_A_LOOP for step in steps_of(body))


def _never_stops(why: str) -> str:
    return f"the run would never stop: {why}, and no run.duration"


def _bodies(spec: ScenarioSpec) -> Iterator[Body]:
    for device in spec.devices:
        yield device.handler or ()
        yield device.thread or ()
    yield from (softirq.run for softirq in spec.softirqs)
    yield from (tasklet.run for tasklet in spec.tasklets)
    yield from (work.run for work in spec.works)
    yield from (timer.run for timer in spec.timers)
    yield from (hrtimer.run for hrtimer in spec.hrtimers)
    yield from (task.run for task in spec.tasks)


def _check_replay(draft: Draft) -> None:
    """Recorded steps lean on the recorded decisions; an IPI's line says which one it is."""
    spec = draft.spec
    if not spec.replay.is_there:
        for body in _bodies(spec):
            for item in body:
                if isinstance(item, Replay):
                    draft.root.fault("a 'replay' step needs the table [replay]")
                    return
    elif spec.replay.ipis is not None:
        for number, line in enumerate(spec.replay.ipis.lines, 1):
            if not line.words or line.words[0] not in IPI_WORDS:
                place = draft.root.at("replay").at("ipis")
                place.fault(f"line {number} of them: expected IPI0 to IPI{NR_IPIS - 1}")
                return


def _check_request(draft: Draft) -> None:
    check_requests(draft.spec, list(draft.devices()))


# Each rule, and the tables that must be whole for it.
RULES: Final[tuple[tuple[Callable[[Draft], None], tuple[str, ...]], ...]] = (
    (_check_cpus, ("machine",)),
    (_check_pseudo_nmi, ("machine", "kernel")),
    (_check_devmem, ("machine", "at")),
    (_check_lines, ("machine",)),
    (_check_gpios, ("machine",)),
    (_check_irqs, ()),
    (_check_request, ("machine", "kernel")),
    (_check_napis, ()),
    (_check_polled, ()),
    (_check_tasks, ()),
    (_check_end, ("run", "kernel")),
    (_check_replay, ("replay",)),
)
