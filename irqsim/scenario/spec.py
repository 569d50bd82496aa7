"""What a scenario says, as frozen classes: the whole language, one class per table.

Fields are named after the TOML keys.  Times are ns in whole ticks; a duration that may be
random is a ``Duration``; a CPU set is an ascending tuple; what is absent and has no
default is None.  ``line`` is the line of the scenario that said it, for messages; it takes
no part in comparisons.  The defaults here are the language's defaults: the reader, the
JSON Schema and the documentation take them from these classes.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve, field, frozen

from irqsim.units import Duration

MS_NS: Final = 1_000_000
USEC_PER_SEC: Final = 1_000_000
PACKET: Final = Duration("fixed", 1_000)

# A step's arguments: a name, a number (CPU, address), a duration, or a CPU set.
Arg = str | int | Duration | tuple[int, ...]


@frozen
class Step:
    """One call that a driver makes: ``raise_softirq NET_RX``.

    Arguments are typed as the table in ``steps.py`` says: a name or words are a str (softirqs
    and irqreturns by their kernel names), a CPU is an int, a time a Duration, a CPU list a tuple.
    """

    verb: str
    args: tuple[Arg, ...] = ()
    line: int | None = field(default=None, eq=False)


@frozen
class Repeat:
    """``{ repeat = 3, do = [...] }``."""

    count: int
    body: tuple[AnyStep, ...]
    line: int | None = field(default=None, eq=False)


@frozen
class Chance:
    """``{ chance = 0.1, do = [...], else = [...] }``; the chance in parts per million."""

    ppm: int
    body: tuple[AnyStep, ...]
    otherwise: tuple[AnyStep, ...] = ()
    line: int | None = field(default=None, eq=False)


@frozen
class If:
    """``{ if = "in_interrupt", do = [...], else = [...] }``."""

    test: str
    body: tuple[AnyStep, ...]
    otherwise: tuple[AnyStep, ...] = ()
    line: int | None = field(default=None, eq=False)


@frozen
class RecordedLine:
    """What code did at one occurrence: a line of a replay's file.

    ``time`` is when the capture has it, ``cpu`` where; ``delay`` how long it took to begin, in
    ns; ``words`` what else stands before the colon.
    """

    time: int
    cpu: int
    delay: int
    words: tuple[str, ...]
    body: Body


@frozen
class Replay:
    """``{ replay = "eth0.handler" }``: each time what the next line of the file says."""

    file: str
    lines: tuple[RecordedLine, ...] = field(repr=False)
    line: int | None = field(default=None, eq=False)
    body: Body = field(default=(), init=False)
    otherwise: Body = field(default=(), init=False)


AnyStep = Step | Repeat | Chance | If | Replay
Body = tuple[AnyStep, ...]


@frozen
class Listed:
    """Arrivals at these times, ascending; ``cpus``: where each does, () for everywhere."""

    times: tuple[int, ...]
    cpus: tuple[int | None, ...] = ()


@frozen
class Periodic:
    """An arrival every so often; the first after one period, unless ``start`` says when."""

    every: int
    start: int | None = None
    until: int | None = None
    count: int | None = None
    jitter: Duration | None = None


@frozen
class Poisson:
    """Arrivals with exponential gaps of this mean."""

    poisson: int
    start: int | None = None
    until: int | None = None
    count: int | None = None


@frozen
class Bursts:
    """``burst`` arrivals, ``gap`` apart, every ``every``; ``count`` counts bursts."""

    burst: int
    gap: int
    every: int
    start: int | None = None
    until: int | None = None
    count: int | None = None


Arrivals = Listed | Periodic | Poisson | Bursts


@frozen
class RunSpec:
    """``[run]``."""

    duration: int | None = None
    seed: int = 0
    tick: int = 1_000
    clock: int = 0


@frozen
class MachineSpec:
    """``[machine]``."""

    arch: str = "arm64"
    cpus: int = 4
    irqchip: str = "gic-v3"
    priority_bits: int = 5


@frozen
class KernelSpec:
    """``[kernel]``.  ``irqaffinity`` None: all CPUs."""

    release: str = "6.1"
    preempt: str = "voluntary"
    hz: int = 250
    nohz: bool = True
    rcu: bool = True
    threadirqs: bool = False
    softirq_restart: int = 10
    softirq_time: int = 2 * MS_NS
    netdev_budget: int = 300
    netdev_budget_usecs: int = field()
    storm_threshold: int | None = None
    storm_window: int = 10 * MS_NS
    storm_action: str = "hold"
    storm_hold: int = 1_000 * MS_NS
    storm_poll: int = MS_NS
    noirqdebug: bool = False
    debug_atomic_sleep: bool = False
    irqpoll: bool = False
    irqfixup: bool = False
    irqaffinity: tuple[int, ...] | None = None
    pseudo_nmi: bool = False

    @netdev_budget_usecs.default
    def _two_jiffies(self) -> int:
        """Two jiffies.  Source: netdev_budget_usecs, net/core/dev.c."""
        return 2 * USEC_PER_SEC // self.hz


@frozen
class CostSpec:
    """``[cost]``: what the user set, in the order of the file; all else is ``costs.py``'s."""

    costs: tuple[tuple[str, int], ...] = ()


@frozen
class DeviceSpec:
    """``[[device]]``: exactly one of spi, ppi, lpi, gpio, bank, local is set, unless ``poll``
    is.

    ``irq`` None: the next free number.  ``handler`` None: none was given (with a thread
    that is NULL, without one a handler that acknowledges and returns).  ``affinity`` None:
    the default affinity.
    """

    name: str
    spi: int | None = None
    ppi: int | None = None
    lpi: int | None = None
    gpio: tuple[str, int] | None = None
    bank: tuple[int, int] | None = None
    local: int | None = None
    irq: int | None = None
    trigger: str = "level"
    priority: int = 0xA0
    flags: tuple[str, ...] = ()
    affinity: tuple[int, ...] | None = None
    arrivals: Arrivals | None = None
    handler: Body | None = None
    thread: Body | None = None
    ack: str = "start"
    nmi: bool = False
    probe: bool = True
    poll: int | None = None
    deadline: int | None = None
    on_miss: str = ""
    line: int | None = field(default=None, eq=False)


@frozen
class NapiSpec:
    """``[[napi]]``."""

    name: str
    device: str
    weight: int = 64
    packet: Duration = PACKET
    ring: int = 256
    line: int | None = field(default=None, eq=False)


@frozen
class GpioSpec:
    """``[[gpio]]``: exactly one of spi, bank, device is set.  ``label`` None: the name.

    ``device``: the device that it is; its lines are served in that device's thread.
    """

    name: str
    spi: int | None = None
    bank: tuple[int, int] | None = None
    device: str | None = None
    lines: int = 8
    label: str | None = None
    flow: str = "by-trigger"
    line: int | None = field(default=None, eq=False)


@frozen
class SoftirqSpec:
    """One key of ``[softirq]``: what a vector does beyond its built-in duty."""

    name: str
    run: Body
    line: int | None = field(default=None, eq=False)


@frozen
class TaskletSpec:
    """``[[tasklet]]``."""

    name: str
    run: Body
    disabled: bool = False
    line: int | None = field(default=None, eq=False)


@frozen
class WorkSpec:
    """``[[work]]``."""

    name: str
    run: Body
    queue: str = "system_wq"
    line: int | None = field(default=None, eq=False)


@frozen
class TimerSpec:
    """``[[timer]]``.  With a period and no ``expires``, the first expiry is one period in."""

    name: str
    run: Body
    expires: int | None = None
    period: int | None = None
    cpu: int = 0
    line: int | None = field(default=None, eq=False)


@frozen
class HrtimerSpec:
    """``[[hrtimer]]``."""

    name: str
    run: Body
    expires: int | None = None
    period: int | None = None
    cpu: int = 0
    mode: str | None = None
    line: int | None = field(default=None, eq=False)


@frozen
class TaskSpec:
    """``[[task]]``.  ``cpu`` None and ``affinity`` None: any CPU; ``pid`` None: the next free;
    ``comm`` None: the name."""

    name: str
    run: Body
    comm: str | None = None
    pid: int | None = None
    cpu: int | None = None
    affinity: tuple[int, ...] | None = None
    policy: str = "other"
    nice: int = 0
    priority: int = 50
    start: int = 0
    loop: bool = False
    mode: str = "user"
    asleep: bool = False
    line: int | None = field(default=None, eq=False)

    @property
    def runs_user_code(self) -> bool:
        """Whether its `run` steps are user code: those of a replay do not say so."""
        return self.mode == "user" and not any(isinstance(step, Replay) for step in self.run)


@frozen
class AtCommand:
    """One thing that an operator types.

    ``cat``: ``path``.  ``echo``: ``path`` and ``text``, the very bytes written, with the
    newline if there is one; ``append`` for ``>>``.  ``devmem``: ``address``, ``width`` in
    bits, and ``value`` or None to read.  ``source`` is what was typed.
    """

    verb: str
    path: str = ""
    text: str = ""
    append: bool = False
    address: int = 0
    width: int = 32
    value: int | None = None
    source: str = field(default="", eq=False)
    line: int | None = field(default=None, eq=False)


@frozen
class AtSpec:
    """``[[at]]``; ``commands`` are those of the key ``do``."""

    time: int
    commands: tuple[AtCommand, ...]
    line: int | None = field(default=None, eq=False)


@frozen
class TraceSpec:
    """``[trace]``.  ``options``: those that are on, the defaults less what ``no…`` takes off."""

    events: tuple[str, ...] = ("irq",)
    tracer: str = "nop"
    options: tuple[str, ...] = ("irq-info",)
    buffer_size_kb: int | None = None


@frozen
class ReplaySpec:
    """``[replay]``: who gave way to whom on which CPU; what others did."""

    switches: tuple[tuple[int, int, str, str], ...] | None = None
    idle: tuple[Replay, ...] = ()
    ksoftirqd: tuple[Replay, ...] = ()
    ipis: Replay | None = None

    @property
    def is_there(self) -> bool:
        """Whether the scenario replays a capture."""
        return self.switches is not None


@frozen
class ScenarioSpec:
    """A whole scenario.  ``file`` names it in messages; ``stdin`` for standard input."""

    run: RunSpec = RunSpec()
    machine: MachineSpec = MachineSpec()
    kernel: KernelSpec = KernelSpec()
    cost: CostSpec = CostSpec()
    devices: tuple[DeviceSpec, ...] = ()
    napis: tuple[NapiSpec, ...] = ()
    gpios: tuple[GpioSpec, ...] = ()
    softirqs: tuple[SoftirqSpec, ...] = ()
    tasklets: tuple[TaskletSpec, ...] = ()
    works: tuple[WorkSpec, ...] = ()
    timers: tuple[TimerSpec, ...] = ()
    hrtimers: tuple[HrtimerSpec, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    ats: tuple[AtSpec, ...] = ()
    trace: TraceSpec = TraceSpec()
    replay: ReplaySpec = ReplaySpec()
    file: str = field(default="", eq=False)

    def with_run(self, *, seed: int | None = None, duration: int | None = None) -> ScenarioSpec:
        """The same scenario with another seed, or another duration in ns."""
        run = evolve(
            self.run,
            seed=self.run.seed if seed is None else seed,
            duration=self.run.duration if duration is None else duration,
        )
        return evolve(self, run=run)
