"""Random scenarios, built from the classes that a scenario is made of.

What is drawn is drawn from a `Draw`: hypothesis, which can shrink what fails, or a seeded
stream, for a fixed series of scenarios that costs nothing to make again.

The scenarios keep to what a driver may do: sections are balanced, locks do not nest, nobody
sleeps in atomic context, nobody waits for himself.  Apart from that anything goes.

Some have everything: PREEMPT_RT, detectors of storms and of lost interrupts, polled devices,
deadlines, and marks in the log by which laws follow threads, polls and bottom halves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Protocol, TypeVar

from attrs import evolve, field, frozen
from hypothesis import strategies as st

from irqsim.scenario.spec import (
    AnyStep,
    Arg,
    Arrivals,
    AtCommand,
    AtSpec,
    Body,
    Bursts,
    Chance,
    CostSpec,
    DeviceSpec,
    GpioSpec,
    HrtimerSpec,
    If,
    KernelSpec,
    Listed,
    MachineSpec,
    NapiSpec,
    Periodic,
    Poisson,
    Repeat,
    RunSpec,
    ScenarioSpec,
    SoftirqSpec,
    Step,
    TaskletSpec,
    TaskSpec,
    TimerSpec,
    WorkSpec,
)
from irqsim.units import Duration

T = TypeVar("T")

US: Final = 1_000
MS: Final = 1_000_000

NR_PLAIN: Final = 64
"""How many of the numbered scenarios have not everything."""

RELEASES: Final = ("4.19", "5.10", "6.1", "6.6", "6.12")
OPEN_VECTORS: Final = ("NET_TX", "NET_RX", "BLOCK", "IRQ_POLL")
VECTORS: Final = (*OPEN_VECTORS, "HI", "TASKLET")
TICK_VECTORS: Final = ("SCHED", "HRTIMER", "RCU")
IF_TESTS: Final = ("in_interrupt", "in_hardirq", "in_softirq", "in_task", "irqs_disabled")


THEMES: Final[dict[str, tuple[str, ...]]] = {
    "any": (),
    "tasklets": ("tasklet",) * 12,
    "lines": ("line",) * 12,
    "tasks": ("mutex",) * 8 + ("wake",) * 4 + ("lock",) * 4,
}
"""Steps that are drawn more often."""


class Draw(Protocol):
    """Where random choices come from."""

    def integer(self, lo: int, hi: int) -> int:
        """One of lo to hi, both included."""

    def choice(self, items: Sequence[T]) -> T:
        """One of the items; the first is the simplest."""


class SeededDraw:
    """Choices that are the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def integer(self, lo: int, hi: int) -> int:
        return self._random.randint(lo, hi)

    def choice(self, items: Sequence[T]) -> T:
        return items[self._random.randrange(len(items))]


class HypothesisDraw:
    """Choices that hypothesis makes, and makes simpler when a test fails."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def integer(self, lo: int, hi: int) -> int:
        return self._draw(st.integers(lo, hi))

    def choice(self, items: Sequence[T]) -> T:
        return items[self._draw(st.integers(0, len(items) - 1))]


@frozen
class World:
    """What the code of a scenario may name."""

    draw: Draw
    nr_cpus: int
    tick: int
    tasklets: tuple[str, ...]
    devices: tuple[str, ...]
    tasks: tuple[str, ...]
    timers: tuple[str, ...]
    hrtimers: tuple[str, ...]
    works: tuple[str, ...]
    manages_lines: bool
    """Code may disable, move and free lines."""
    is_paired: bool
    """Each disabling has its enabling beside it, and no line is freed."""
    disables_tasklets: bool
    theme: str
    """What happens more often than other things: a key of THEMES."""
    has_plain_tasks: bool
    """Tasks are user code that runs for fixed times, and nothing else."""
    has_everything: bool
    is_rt: bool


@frozen
class Place:
    """Where code stands."""

    kind: str
    """handler, softirq, tasklet, timer, hrtimer, thread, work or task."""
    device: str = ""
    may_sleep: bool = False
    irqs_off: bool = False
    bh_off: bool = False
    depth: int = field(default=0, kw_only=True)


def chance(draw: Draw, percent: int) -> bool:
    return draw.integer(0, 99) >= 100 - percent


def fixed(ns: int) -> Duration:
    return Duration("fixed", ns, 0)


def step(verb: str, *args: Arg) -> Step:
    return Step(verb, args)


def duration(world: World, lo_us: int = 1, hi_us: int = 40) -> Duration:
    """A duration in whole ticks: mostly a fixed one."""
    draw, tick = world.draw, world.tick
    a = -(-draw.integer(lo_us, hi_us) * US // tick) * tick
    kind = draw.choice(("fixed", "fixed", "fixed", "uniform", "exponential", "normal"))
    if kind == "uniform":
        return Duration("uniform", a, a + draw.integer(1, 20) * tick)
    if kind == "normal":
        return Duration("normal", a, tick * draw.integer(1, 5))
    return Duration("exponential", a, 0) if kind == "exponential" else fixed(a)


# -- steps -------------------------------------------------------------------------------


def body(world: World, place: Place, most: int) -> Body:
    """A few steps for a place."""
    steps: list[AnyStep] = []
    for _ in range(world.draw.integer(0, most)):
        steps.extend(_steps(world, place))
    return tuple(steps)


def _steps(world: World, place: Place) -> tuple[AnyStep, ...]:
    """One step, or a few that belong together."""
    draw = world.draw
    kind = draw.choice(
        ("run", "run", "raise", "raise", "tasklet", "tasklet", "wake", "section", "control")
        + (("sleep", "sleep", "mutex") if place.may_sleep else ())
        + ("timer", "line", "ipi", "lock", "work")
        + THEMES[world.theme]
    )
    makers: dict[str, Callable[[World, Place], tuple[AnyStep, ...]]] = {
        "raise": _raise,
        "tasklet": _tasklet,
        "wake": _wake,
        "section": _section,
        "control": _control,
        "sleep": _sleep,
        "timer": _timer,
        "line": _line,
        "ipi": _ipi,
        "lock": _lock,
        "work": _work,
        "mutex": _mutex,
    }
    made = makers[kind](world, place) if kind in makers else ()
    return made or (step("run", duration(world)),)


def _raise(world: World, place: Place) -> tuple[AnyStep, ...]:
    vectors = OPEN_VECTORS if world.draw.integer(0, 3) else VECTORS
    if place.kind != "hrtimer":
        # The tick is an hrtimer too, and raises these in its own order.
        vectors = (*vectors, *TICK_VECTORS)
    return (step("raise_softirq", world.draw.choice(vectors)),)


def _tasklet(world: World, place: Place) -> tuple[AnyStep, ...]:
    """Schedule a tasklet, with a mark before it; or keep one from running for a while."""
    if not world.tasklets:
        return ()
    name = world.draw.choice(world.tasklets)
    if place.may_sleep and world.disables_tasklets and chance(world.draw, 25):
        return (
            step("tasklet_disable", name),
            step("trace_printk", f"stop {name}"),
            step("run", duration(world, 1, 400)),
            step("trace_printk", f"go {name}"),
            step("tasklet_enable", name),
        )
    vec, verb = world.draw.choice(((6, "tasklet_schedule"), (0, "tasklet_hi_schedule")))
    return step("trace_printk", f"queue {name} {vec}"), step(verb, name)


def _wake(world: World, place: Place) -> tuple[AnyStep, ...]:
    if not world.tasks or chance(world.draw, 30):
        return (step("wake_up", "queue"),)
    return (step("wake_up_process", world.draw.choice(world.tasks)),)


def _section(world: World, place: Place) -> tuple[AnyStep, ...]:
    """A section with interrupts, bottom halves or preemption off."""
    # Hard hrtimers run in a hard interrupt, too.
    if place.kind in ("handler", "hrtimer") or place.depth > 1:
        return ()
    names = ["local_irq"]
    if not place.irqs_off:
        names += ["local_bh", "preempt"]
    name = world.draw.choice(names)
    inner = evolve(
        place,
        may_sleep=False,
        irqs_off=place.irqs_off or name == "local_irq",
        bh_off=place.bh_off or name == "local_bh",
        depth=place.depth + 1,
    )
    if name == "local_irq" and place.irqs_off:
        return ()
    steps = body(world, inner, 3)
    if name == "local_bh" and world.has_everything:
        if world.is_rt and place.depth:
            # There it may sleep.
            return ()
        steps = (step("trace_printk", "bottom off"), *steps, step("trace_printk", "bottom on"))
    return (step(f"{name}_disable"), *steps, step(f"{name}_enable"))


def _control(world: World, place: Place) -> tuple[AnyStep, ...]:
    if place.depth > 1:
        return ()
    inner = evolve(place, depth=place.depth + 1)
    steps = body(world, inner, 2)
    kind = world.draw.choice(("repeat", "chance", "if"))
    if kind == "repeat":
        return (Repeat(world.draw.integer(1, 3), steps),)
    otherwise = body(world, inner, 1)
    if kind == "chance":
        return (Chance(world.draw.integer(0, 1_000_000), steps, otherwise),)
    return (If(world.draw.choice(IF_TESTS), steps, otherwise),)


def _sleep(world: World, place: Place) -> tuple[AnyStep, ...]:
    verb = world.draw.choice(("cond_resched", "sched_yield", "schedule", "msleep", "wait_event"))
    arguments: dict[str, tuple[Arg, ...]] = {"msleep": (fixed(MS),), "wait_event": ("queue",)}
    return (step(verb, *arguments.get(verb, ())),)


def _mutex(world: World, place: Place) -> tuple[AnyStep, ...]:
    if place.depth or not place.may_sleep:
        return ()
    inner = evolve(place, depth=2)
    return (
        step("mutex_lock", "mutex"),
        step("trace_printk", "hold mutex"),
        *body(world, inner, 2),
        step("trace_printk", "drop mutex"),
        step("mutex_unlock", "mutex"),
    )


def _work(world: World, place: Place) -> tuple[AnyStep, ...]:
    if not world.works:
        return ()
    name = world.draw.choice(world.works)
    kind = world.draw.choice(("queue_work", "queue_work_on", "queue_delayed_work"))
    if kind == "queue_work":
        return (step(kind, name),)
    if kind == "queue_work_on":
        return (step(kind, world.draw.integer(0, world.nr_cpus - 1), name),)
    return (step(kind, name, fixed(MS)),)


def _timer(world: World, place: Place) -> tuple[AnyStep, ...]:
    draw = world.draw
    if world.timers and (not world.hrtimers or chance(draw, 50)):
        name = draw.choice(world.timers)
        if chance(draw, 20):
            return (step("del_timer", name),)
        return (step("mod_timer", name, fixed(draw.integer(0, 5) * MS)),)
    if not world.hrtimers:
        return ()
    name = draw.choice(world.hrtimers)
    # Cancelling waits for the callback, which must not wait for itself.
    if place.may_sleep and chance(draw, 20):
        return (step("hrtimer_cancel", name),)
    return (step("hrtimer_start", name, fixed(draw.integer(1, 300) * US)),)


def _line(world: World, place: Place) -> tuple[AnyStep, ...]:
    """Disable a line for a while, move it, or give it back and request it again."""
    draw = world.draw
    if not world.manages_lines or not world.devices:
        return ()
    name = draw.choice(world.devices)
    if place.device and chance(draw, 60):
        name = place.device
    kinds = ["affinity", "nosync", "nosync", "disable", "disable", "synchronize"]
    if not world.is_paired:
        kinds += ["free", "unpaired"]
    kind = draw.choice(kinds)
    if kind == "affinity":
        cpus = tuple(cpu for cpu in range(world.nr_cpus) if draw.integer(0, 1)) or (0,)
        # What comes while the handler runs goes to the other CPU.
        return (step("irq_set_affinity", name, cpus), step("run", duration(world)))
    between = (
        step("trace_printk", f"stop {name}"),
        step("run", duration(world, 1, 600 if place.may_sleep else 40)),
        step("trace_printk", f"go {name}"),
    )
    if kind == "nosync":
        return (step("disable_irq_nosync", name), *between, step("enable_irq", name))
    if kind == "unpaired":
        return (step(draw.choice(("enable_irq", "disable_irq_nosync")), name),)
    if not place.may_sleep or place.kind == "thread" or place.depth:
        return ()
    if kind == "disable":
        return (step("disable_irq", name), *between, step("enable_irq", name))
    if kind == "free":
        return (step("free_irq", name), between[1], step("request_irq", name))
    return (step("synchronize_irq", name),)


def _ipi(world: World, place: Place) -> tuple[AnyStep, ...]:
    cpu = world.draw.integer(0, world.nr_cpus - 1)
    if chance(world.draw, 30):
        return (step("irq_work_queue", duration(world, 1, 5)),)
    if chance(world.draw, 50):
        return (step("smp_send_reschedule", cpu),)
    return (step("smp_call_function", cpu, duration(world, 1, 5)),)


def _lock(world: World, place: Place) -> tuple[AnyStep, ...]:
    is_hard = place.kind in ("handler", "hrtimer")
    if world.is_rt and (is_hard or place.depth):
        # There who waits for it sleeps.
        return ()
    if world.has_everything and not is_hard and not place.irqs_off and chance(world.draw, 50):
        return (
            step("spin_lock_bh", "block"),
            step("trace_printk", "hold block"),
            step("run", duration(world, 1, 30)),
            step("trace_printk", "drop block"),
            step("spin_unlock_bh", "block"),
        )
    return (
        step("spin_lock_irqsave", "lock"),
        step("trace_printk", "hold lock"),
        step("run", duration(world, 1, 8)),
        step("trace_printk", "drop lock"),
        step("spin_unlock_irqrestore", "lock"),
    )


# -- devices -----------------------------------------------------------------------------


def arrivals(world: World, end: int) -> Arrivals:
    """When a device wants service, in the first three quarters of the run."""
    draw = world.draw
    until = end * 3 // 4
    kind = draw.choice(("listed", "periodic", "poisson", "bursts"))
    count = draw.integer(1, 25)
    if kind == "listed":
        # A coarse grid, so that devices and ticks coincide.
        grid = draw.choice((100 * US, 10 * US, MS))
        times = sorted(draw.integer(0, until // grid) * grid for _ in range(count))
        return Listed(tuple(times))
    every = draw.integer(2, 80) * 10 * US
    start = draw.choice((None, draw.integer(0, 40) * 50 * US))
    if kind == "periodic":
        jitter = draw.choice((None, Duration("uniform", 0, 5 * US)))
        return Periodic(every, start, until, count, jitter)
    if kind == "poisson":
        return Poisson(every, start, until, count)
    burst, gap = draw.integer(2, 5), draw.integer(0, 6) * US
    return Bursts(burst, gap, every + burst * gap, start, until, min(count, 6))


def _handler(world: World, device: DeviceSpec, napi: str = "") -> DeviceSpec:
    """Give a device its driver: handler, thread, and who quiets it."""
    draw = world.draw
    place = Place("handler", device.name)
    is_private = device.ppi is not None
    may_thread = not is_private and not device.flags and not napi
    has_thread = may_thread and chance(draw, 30)
    if has_thread and chance(draw, 50):
        return evolve(
            device,
            flags=("IRQF_ONESHOT",),
            handler=None,
            thread=_thread(world, device.name),
            ack=draw.choice(("start", "end")),
        )
    steps = body(world, place, 3)
    ack = draw.choice(("start", "start", "start", "end", "explicit"))
    if ack == "explicit":
        steps = (*steps, step("ack"))
    if napi:
        hush = (step("trace_printk", f"hush {device.name}"),) if world.has_everything else ()
        steps = (step("napi_schedule", napi), *hush, *steps)
    elif chance(draw, 10):
        steps = (*steps, step("return", draw.choice(("IRQ_NONE", "IRQ_HANDLED"))))
    thread = None
    if has_thread:
        thread = _thread(world, device.name)
    flags = ("IRQF_ONESHOT",) if has_thread and chance(draw, 60) else device.flags
    return evolve(device, handler=steps, thread=thread, ack=ack, flags=flags)


def _thread(world: World, name: str) -> Body:
    """A thread function; with marks where it begins and ends."""
    steps = body(world, Place("thread", name, may_sleep=True), 3)
    if not world.has_everything:
        return steps
    return (step("trace_printk", f"enter {name}"), *steps, step("trace_printk", f"leave {name}"))


def _lines(draw: Draw, nr_cpus: int, names: Sequence[str]) -> list[DeviceSpec]:
    """Devices on lines of their own, on a shared one, or on PPIs; without drivers yet."""
    devices: list[DeviceSpec] = []
    spis = [3, 1, 2, 5, 4]
    trigger = draw.choice(("edge", "level"))
    shared = DeviceSpec("", spi=9, trigger=trigger, flags=("IRQF_SHARED",))
    shared = evolve(shared, affinity=_affinity(draw, nr_cpus))
    for number, name in enumerate(names):
        kind = draw.choice(("own", "own", "own", "shared", "ppi"))
        trigger = draw.choice(("edge", "level"))
        priority = draw.choice((0xA0, 0xA0, 0xA0, 0x60, 0xC0))
        affinity = _affinity(draw, nr_cpus)
        if kind == "shared":
            devices.append(evolve(shared, name=name))
        elif kind == "ppi":
            devices.append(
                DeviceSpec(
                    name, ppi=number, trigger=trigger, priority=priority, affinity=affinity
                )
            )
        else:
            devices.append(
                DeviceSpec(
                    name, spi=spis[number], trigger=trigger, priority=priority, affinity=affinity
                )
            )
    return devices


def _spread(devices: list[DeviceSpec], nr_cpus: int) -> list[DeviceSpec]:
    """Put each device on a CPU of its own, as far as there are enough."""
    return [
        evolve(device, affinity=(number % nr_cpus,))
        if "IRQF_SHARED" not in device.flags
        else device
        for number, device in enumerate(devices)
    ]


def _affinity(draw: Draw, nr_cpus: int) -> tuple[int, ...] | None:
    if chance(draw, 40):
        return None
    first = draw.integer(0, nr_cpus - 1)
    return (first,) if chance(draw, 60) else tuple(range(first, nr_cpus))


# -- tasks -------------------------------------------------------------------------------


def _plain_task(world: World, name: str, end: int) -> TaskSpec:
    draw = world.draw
    steps = [step("run", fixed(draw.integer(1, 900) * US)) for _ in range(draw.integer(1, 4))]
    return TaskSpec(
        name,
        tuple(steps),
        cpu=draw.choice((None, draw.integer(0, world.nr_cpus - 1))),
        policy=draw.choice(("other", "fifo")),
        start=draw.integer(0, end // US // 3) * US,
    )


def _task(world: World, name: str, end: int) -> TaskSpec:
    draw = world.draw
    if world.has_plain_tasks:
        return _plain_task(world, name, end)
    policy = draw.choice(("other", "other", "fifo", "rr", "idle"))
    work = draw.choice((20, 100, 800, 3000))
    steps = (
        step("run", duration(world, 1, work)),
        *body(world, Place("task", may_sleep=True), 5),
        step("run", duration(world, 1, work)),
    )
    return TaskSpec(
        name,
        steps,
        cpu=draw.integer(0, world.nr_cpus - 1) if chance(draw, 60) else None,
        policy=policy,
        nice=draw.choice((0, 0, -5, 10)) if policy == "other" else 0,
        priority=draw.choice((50, 50, 10, 90)),
        start=draw.integer(0, end // (100 * US) // 2) * 100 * US,
        # A real-time task that loops would have the CPU for itself.
        loop=policy in ("other", "idle") and chance(draw, 40),
        mode=draw.choice(("user", "user", "kernel")),
    )


# -- the whole ---------------------------------------------------------------------------


def _tasklet_body(world: World) -> Body:
    steps = body(world, Place("tasklet"), 3)
    if world.theme != "tasklets":
        return steps
    # Long enough to meet itself on another CPU.
    return (step("run", fixed(world.draw.integer(20, 90) * US)), *steps)


def _kernel(draw: Draw) -> KernelSpec:
    hz = draw.choice((250, 1000, 100))
    return KernelSpec(
        release=draw.choice(RELEASES),
        preempt=draw.choice(("voluntary", "full", "none")),
        hz=hz,
        nohz=chance(draw, 80),
        rcu=chance(draw, 60),
        softirq_restart=draw.choice((10, 10, 2, 1)),
        softirq_time=draw.choice((2 * MS, 2 * MS, MS)),
        noirqdebug=chance(draw, 10),
        threadirqs=chance(draw, 12),
    )


def _costs(draw: Draw, tick: int) -> CostSpec:
    kind = draw.choice(("default", "default", "some", "none"))
    if kind == "default":
        return CostSpec()
    names = ("irq_handler", "irq_exit", "softirq_raise", "tasklet_entry",
             "wakeup", "switch_to", "ipi", "irq_manage", "local_irq")  # fmt: skip
    # irq_entry and softirq_entry always take time, or what never ends would stop the clock.
    return CostSpec(
        tuple(
            (name, 0 if kind == "none" else draw.integer(0, 3) * tick)
            for name in names
        )
    )


def _world(draw: Draw, theme: str, has_everything: bool) -> World:
    """What there is: how many CPUs, and which names."""
    nr_tasklets = draw.choice((1, 3)) if theme == "tasklets" else draw.integer(0, 3)
    return World(
        draw,
        nr_cpus=draw.integer(1 if theme == "any" else 2, 4),
        tick=draw.choice((US, US, 250)),
        tasklets=("t0", "t1", "t2")[:nr_tasklets],
        devices=("d0", "d1", "d2", "d3", "d4")[: draw.integer(1, 5)],
        tasks=("a", "b", "c")[: draw.integer(0 if theme == "any" else 2, 3)],
        timers=("w0", "w1")[: draw.integer(0, 2)],
        hrtimers=("h0", "h1")[: draw.integer(0, 2)],
        works=("k0", "k1")[: draw.integer(0, 2)],
        manages_lines=theme == "lines" or chance(draw, 30),
        is_paired=chance(draw, 70),
        theme=theme,
        disables_tasklets=theme == "tasklets" or chance(draw, 30),
        has_plain_tasks=theme == "any" and chance(draw, 35),
        has_everything=has_everything,
        is_rt=has_everything and chance(draw, 30),
    )


def _devices(world: World, end: int) -> tuple[tuple[DeviceSpec, ...], tuple[NapiSpec, ...]]:
    """The devices with their drivers and arrivals; the first may be a network device."""
    draw = world.draw
    devices = _lines(draw, world.nr_cpus, world.devices)
    if world.theme in ("tasklets", "lines"):
        devices = _spread(devices, world.nr_cpus)
    napis: tuple[NapiSpec, ...] = ()
    if "IRQF_SHARED" not in devices[0].flags and devices[0].ppi is None and chance(draw, 25):
        napis = (NapiSpec("n0", "d0", draw.choice((64, 4, 1)), fixed(US), draw.choice((256, 8))),)
    driven = (
        _handler(world, device, "n0" if napis and number == 0 else "")
        for number, device in enumerate(devices)
    )
    return tuple(evolve(device, arrivals=arrivals(world, end)) for device in driven), napis


def _timers(world: World) -> tuple[tuple[TimerSpec, ...], tuple[HrtimerSpec, ...]]:
    draw = world.draw
    timers = tuple(
        TimerSpec(name, body(world, Place("timer"), 2), period=draw.choice((None, 4 * MS)))
        for name in world.timers
    )
    hrtimers = tuple(
        HrtimerSpec(
            name,
            body(world, Place("hrtimer"), 2),
            period=draw.choice((None, 700 * US)),
            cpu=draw.integer(0, world.nr_cpus - 1),
            mode=draw.choice(("hard", "soft")),
        )
        for name in world.hrtimers
    )
    return timers, hrtimers


def _work_spec(world: World, name: str) -> WorkSpec:
    # One that queues itself again must take time.
    steps = (step("run", fixed(US)), *body(world, Place("work", may_sleep=True), 3))
    queue = world.draw.choice(("system_wq", "system_highpri_wq", "system_unbound_wq"))
    return WorkSpec(name, steps, queue)


def make_spec(draw: Draw, theme: str, has_everything: bool = False) -> ScenarioSpec:
    """A scenario."""
    spec, world = _make_plain(draw, theme, has_everything)
    return _with_everything(world, spec) if has_everything else spec


def _with_everything(world: World, spec: ScenarioSpec) -> ScenarioSpec:
    """Add what plain scenarios leave out: detectors, deadlines, a device that is polled."""
    draw = world.draw
    assert spec.run.duration is not None
    kernel = evolve(
        spec.kernel, irqpoll=chance(draw, 10), irqfixup=chance(draw, 10), storm_hold=2 * MS
    )
    if world.is_rt:
        kernel = evolve(kernel, preempt="rt")
    if chance(draw, 25):
        kernel = evolve(
            kernel,
            storm_threshold=draw.choice((2000, 5000)),
            storm_window=draw.choice((MS, 2 * MS)),
            storm_action=draw.choice(("hold", "poll")),
            storm_poll=draw.choice((100 * US, 500 * US)),
        )
    devices = [
        evolve(device, deadline=draw.choice((20 * US, 200 * US)), on_miss="late")
        if chance(draw, 30)
        else device
        for device in spec.devices
    ]
    if chance(draw, 30):
        polled = DeviceSpec(
            "polled",
            handler=body(world, Place("hrtimer"), 2),
            ack=draw.choice(("start", "end")),
            affinity=_affinity(draw, world.nr_cpus),
            arrivals=arrivals(world, spec.run.duration),
            poll=draw.integer(1, 10) * 50 * US,
        )
        devices.append(evolve(polled, deadline=draw.choice((None, 200 * US))))
    return evolve(spec, kernel=kernel, devices=tuple(devices))


def _make_plain(
    draw: Draw, theme: str, has_everything: bool
) -> tuple[ScenarioSpec, World]:
    world = _world(draw, theme, has_everything)
    nr_cpus = world.nr_cpus
    end = draw.choice((5, 7, 11)) * MS
    devices, napis = _devices(world, end)
    timers, hrtimers = _timers(world)
    irqaffinity = None if chance(draw, 70) else (nr_cpus - 1,)
    run = RunSpec(
        duration=end, seed=draw.integer(0, 9), tick=world.tick, clock=draw.choice((0, 7 * MS + US))
    )
    machine = MachineSpec(
        draw.choice(("arm64", "arm64", "arm")), nr_cpus, draw.choice(("gic-v3", "gic-v2"))
    )
    spec = ScenarioSpec(
        run=run,
        machine=machine,
        kernel=evolve(_kernel(draw), irqaffinity=irqaffinity),
        cost=_costs(draw, world.tick),
        devices=devices,
        napis=napis,
        softirqs=tuple(
            SoftirqSpec(name, body(world, Place("softirq"), 3))
            for name in OPEN_VECTORS[: draw.integer(0, 4)]
        ),
        tasklets=tuple(
            TaskletSpec(name, _tasklet_body(world), disabled=chance(draw, 3))
            for name in world.tasklets
        ),
        timers=timers,
        hrtimers=hrtimers,
        works=tuple(_work_spec(world, name) for name in world.works),
        tasks=tuple(_task(world, name, end) for name in world.tasks),
        # Drawn last: without them a scenario is the same.
        ats=_ats(world, end),
    )
    return spec, world


def _ats(world: World, end: int) -> tuple[AtSpec, ...]:
    """What an operator types: CPUs that go and come, and lines that are moved."""
    draw = world.draw
    if world.nr_cpus == 1 or not chance(draw, 40):
        return ()
    commands = []
    for _ in range(draw.integer(1, 6)):
        cpu = draw.integer(0, world.nr_cpus - 1)
        path, text = f"/sys/devices/system/cpu/cpu{cpu}/online", draw.choice(("0", "0", "1"))
        if chance(draw, 25):
            path = f"/proc/irq/{draw.choice(world.devices)}/smp_affinity"
            text = f"{draw.integer(1, (1 << world.nr_cpus) - 1):x}"
        commands.append((draw.integer(0, end // (50 * US)) * 50 * US, path, text))
    return tuple(
        AtSpec(time, (AtCommand("echo", path, f"{text}\n"),)) for time, path, text in commands
    )


# -- other controllers -------------------------------------------------------------------

BANKS: Final = {1: (0, 1), 2: (1, 9), 3: (2, 25), 4: (1, 3), 5: (2, 0), 9: (2, 30)}
"""Where an SPI is on a Raspberry Pi: with and without a shortcut, and shared."""


def on_a_pi(draw: Draw, spec: ScenarioSpec) -> ScenarioSpec:
    """The same devices on the lines of a Raspberry Pi: all are levels, none can be moved."""
    sources = [2, 9, 3] if spec.kernel.release == "4.19" else [2, 9, 0, 1]
    devices = []
    for number, device in enumerate(spec.devices):
        plain = evolve(device, spi=None, ppi=None, priority=0xA0, trigger="level")
        if device.poll is not None:
            devices.append(plain)
        elif device.ppi is not None and sources:
            devices.append(evolve(plain, local=sources.pop(0)))
        else:
            bank = (1, 20 + number) if device.spi is None else BANKS[device.spi]
            devices.append(evolve(plain, bank=bank, affinity=None))
    machine = evolve(spec.machine, arch=draw.choice(("arm", "arm64")), irqchip="bcm2836")
    return evolve(spec, machine=machine, devices=tuple(devices))


def behind_gpio(draw: Draw, spec: ScenarioSpec) -> ScenarioSpec:
    """The same devices with their SPIs behind a GPIO controller, some behind an expander."""
    devices = []
    expander = DeviceSpec(
        "expander",
        spi=11,
        flags=("IRQF_ONESHOT",),
        thread=(step("run", fixed(draw.integer(1, 60) * US)),),
        ack=draw.choice(("start", "end")),
    )
    for device in spec.devices:
        line = device.spi
        if line is None or device.poll is not None:
            devices.append(device)
            continue
        moved = evolve(device, spi=None, affinity=None, priority=0xA0)
        if device.thread is not None and chance(draw, 60):
            devices.append(evolve(moved, gpio=("g1", line), handler=None, flags=()))
        else:
            devices.append(evolve(moved, gpio=("g0", line)))
    is_nested = any(device.gpio is not None and device.gpio[0] == "g1" for device in devices)
    is_level = any(device.gpio is not None and device.trigger == "level" for device in devices)
    # A level that is disabled and not masked would have its CPU for itself.
    flow = "by-trigger" if is_level else draw.choice(("by-trigger", "simple"))
    gpios = [GpioSpec("g0", spi=10, lines=16, flow=flow)]
    if is_nested:
        devices.insert(0, expander)
        gpios.append(GpioSpec("g1", device="expander", lines=16))
    return evolve(spec, devices=tuple(devices), gpios=tuple(gpios))


NR_GIC_SEEDS: Final = 104
"""From here on the numbers are those of scenarios with other controllers."""


def spec_of_seed(seed: int) -> ScenarioSpec:
    """The scenario with this number: the themes take turns; from NR_PLAIN on with everything,
    from NR_GIC_SEEDS on with another controller."""
    names = list(THEMES)
    draw = SeededDraw(seed)
    spec = make_spec(draw, names[seed % len(names)], seed >= NR_PLAIN)
    if seed < NR_GIC_SEEDS:
        return spec
    return on_a_pi(draw, spec) if seed % 2 else behind_gpio(draw, spec)


@st.composite
def specs(draw: st.DrawFn) -> ScenarioSpec:
    """A strategy for scenarios."""
    chosen = HypothesisDraw(draw)
    theme = chosen.choice(list(THEMES))
    spec = make_spec(chosen, theme, chosen.choice((False, True)))
    where = chosen.choice(("gic", "gic", "pi", "gpio"))
    if where == "gic":
        return spec
    return on_a_pi(chosen, spec) if where == "pi" else behind_gpio(chosen, spec)
