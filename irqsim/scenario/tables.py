"""The language: every table of a scenario and every key in it, declared once.

The reader, the JSON Schema and ``irqsim new`` follow from here.  What a key defaults to, and
whether it is required, its class in ``spec.py`` says.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from attrs import frozen

from irqsim.hw.bcm2836 import BANK_BITS
from irqsim.kernel.costs import COSTS
from irqsim.kernel.release import RELEASES
from irqsim.scenario.arrivals import ArrivalsKind
from irqsim.scenario.commands import Commands
from irqsim.scenario.kinds import (
    COMM_MAX,
    BankBit,
    Boolean,
    Choice,
    Cpu,
    CpuSet,
    Flags,
    GpioLine,
    Integer,
    Kind,
    LocalSource,
    Name,
    RandomDuration,
    Reference,
    Steps,
    Text,
    Tick,
    Time,
)
from irqsim.scenario.replay import ReplayFile, ReplayFiles, SwitchesFile
from irqsim.scenario.spec import (
    AtSpec,
    CostSpec,
    DeviceSpec,
    GpioSpec,
    HrtimerSpec,
    KernelSpec,
    MachineSpec,
    NapiSpec,
    ReplaySpec,
    RunSpec,
    SoftirqSpec,
    TaskletSpec,
    TaskSpec,
    TimerSpec,
    TraceSpec,
    WorkSpec,
)
from irqsim.scenario.tracing import Events, Options
from irqsim.units import SOFTIRQ_NAMES

CPUS_MAX: Final = 256
HZ_MAX: Final = 10_000
INT_MAX: Final = 2**31 - 1
SEED_MAX: Final = 2**64 - 1
PID_MAX: Final = 2**22
IRQ_MAX: Final = 8_191 + 64
"""IRQ_BITMAP_BITS with sparse descriptors.  Source: kernel/irq/internals.h."""

NR_SPIS: Final = 988
NR_PPIS: Final = 16
SPI_BASE: Final = 32
PPI_BASE: Final = 16
LPI_BASE: Final = 8_192
LPI_MAX: Final = 65_535


@frozen
class Key:
    """A key of a table: its kind, what it means, and its field if that has another name."""

    name: str
    kind: Kind
    what: str
    field: str = ""

    @property
    def attribute(self) -> str:
        """The field of the spec class."""
        return self.field or self.name


@frozen
class Table:
    """A table, its keys, and the class that holds them.

    ``one``: ``[name]``.  ``many``: ``[[name]]``.  ``map``: ``[name]`` whose keys are names of
    things, all optional, in the order of the file.  ``attribute`` is the field of ScenarioSpec.
    """

    name: str
    form: Literal["one", "many", "map"]
    attribute: str
    spec: type[Any]
    what: str
    keys: tuple[Key, ...]


def _spi_advice(value: int) -> str:
    if SPI_BASE + NR_SPIS > value >= NR_SPIS:
        return f"; the number counts from hwirq {SPI_BASE}: use 'spi = {value - SPI_BASE}'"
    if value >= LPI_BASE:
        return f"; hwirq {value} is an LPI: use 'lpi = {value}'"
    return ""


def _ppi_advice(value: int) -> str:
    if PPI_BASE <= value < SPI_BASE:
        return f"; the number counts from hwirq {PPI_BASE}: use 'ppi = {value - PPI_BASE}'"
    if SPI_BASE <= value < SPI_BASE + NR_SPIS:
        return f"; hwirq {value} is an SPI: use 'spi = {value - SPI_BASE}'"
    return ""


def _lpi_advice(value: int) -> str:
    if SPI_BASE <= value < SPI_BASE + NR_SPIS:
        return f"; hwirq {value} is an SPI: use 'spi = {value - SPI_BASE}'"
    return f"; LPIs begin at hwirq {LPI_BASE}" if 0 <= value < LPI_BASE else ""


_SPI: Final = Integer(0, NR_SPIS - 1, "an SPI", _spi_advice)
_TRUE_TIME: Final = Time(is_zero_allowed=False)

_RUN: Final = (
    Key("duration", Time(), "simulated time after which the run stops"),
    Key("seed", Integer(0, SEED_MAX, "a seed"), "seed of all randomness"),
    Key("tick", Tick(), "the resolution of simulated time"),
    Key("clock", Time(), "what the trace clock reads when the run starts"),
)

_MACHINE: Final = (
    Key("arch", Choice(("arm", "arm64")), "ARMv7-A or ARMv8-A"),
    Key("cpus", Integer(1, CPUS_MAX, "a number of CPUs"), "number of CPUs"),
    Key("irqchip", Choice(("gic-v2", "gic-v3", "bcm2836")), "the interrupt controller"),
    Key("priority_bits", Integer(4, 8), "implemented priority bits of the GIC"),
)

_KERNEL: Final = (
    Key(
        "release",
        Choice(tuple(release.name for release in RELEASES)),
        "the trace layout and the rules that changed between releases",
    ),
    Key("preempt", Choice(("none", "voluntary", "full", "rt")), "the preemption model"),
    Key("hz", Integer(1, HZ_MAX, "ticks per second"), "the timer tick, per second"),
    Key("nohz", Boolean(), "idle CPUs stop their tick"),
    Key("rcu", Boolean(), "the tick raises the RCU and SCHED softirqs as a real one does"),
    Key("threadirqs", Boolean(), "forced interrupt threading"),
    Key("softirq_restart", Integer(1, INT_MAX, "a count"), "MAX_SOFTIRQ_RESTART"),
    Key("softirq_time", Time(), "MAX_SOFTIRQ_TIME"),
    Key("netdev_budget", Integer(1, INT_MAX, "a count"), "packets per NET_RX softirq"),
    Key(
        "netdev_budget_usecs",
        Integer(0, INT_MAX, "microseconds"),
        "time limit of one NET_RX softirq, in us",
    ),
    Key(
        "storm_threshold",
        Integer(1, INT_MAX, "interrupts per second"),
        "interrupts per second of one line above which it is reported and disabled",
    ),
    Key("storm_window", _TRUE_TIME, "the time over which the rate is measured"),
    Key("storm_action", Choice(("hold", "poll")), "enable it again later, or poll meanwhile"),
    Key("storm_hold", _TRUE_TIME, "hold: enabled again after this time"),
    Key("storm_poll", _TRUE_TIME, "poll: served this often"),
    Key("noirqdebug", Boolean(), "switches the 'nobody cared' detector off"),
    Key("debug_atomic_sleep", Boolean(), "reports who might sleep where nobody may"),
    Key("irqpoll", Boolean(), "as the boot option"),
    Key("irqfixup", Boolean(), "as the boot option"),
    Key("irqaffinity", CpuSet(), "default affinity of new lines (default: all CPUs)"),
    Key("pseudo_nmi", Boolean(), "interrupts are masked by priority (arm64 with gic-v3)"),
)

_COST: Final = tuple(Key(cost.name, Time(), cost.what) for cost in COSTS)

_DEVICE: Final = (
    Key("name", Name(), "the action's name, as request_irq() gets it"),
    Key("spi", _SPI, "the line: SPI n, hwirq 32 + n"),
    Key("ppi", Integer(0, NR_PPIS - 1, "a PPI", _ppi_advice), "the line: PPI n, hwirq 16 + n"),
    Key("lpi", Integer(LPI_BASE, LPI_MAX, "an LPI", _lpi_advice), "the line: LPI of this hwirq"),
    Key("gpio", GpioLine(), "the line: controller and line of it"),
    Key("bank", BankBit(BANK_BITS), "the line: ARMCTRL bank and bit (bcm2836)"),
    Key("local", LocalSource(), "the line: a source of each core's own controller (bcm2836)"),
    Key("irq", Integer(1, IRQ_MAX, "an interrupt number"), "the Linux interrupt number"),
    Key("trigger", Choice(("level", "edge")), "the kind of line; edge for an LPI"),
    Key("priority", Integer(0, 255, "a GIC priority"), "GIC priority"),
    Key("flags", Flags(), "the flags of request_irq()"),
    Key("affinity", CpuSet(), "smp_affinity (default: all CPUs)"),
    Key("arrivals", ArrivalsKind(), "when the hardware wants service"),
    Key("handler", Steps("handler"), "the primary handler (default: acknowledge and return)"),
    Key("thread", Steps("thread"), "the thread function: request_threaded_irq()"),
    Key(
        "ack",
        Choice(("start", "end", "never", "explicit")),
        "when the handler, or without one the thread, quiets the device",
    ),
    Key("nmi", Boolean(), "requested with request_nmi()"),
    Key("probe", Boolean(), "requested when the run starts; or else by a request_irq step"),
    Key("poll", _TRUE_TIME, "no interrupt: the driver looks at the device this often"),
    Key("deadline", _TRUE_TIME, "longest allowed time from arrival to the end of service"),
    Key("on_miss", Text(), "what a missed deadline means, in words"),
)

_NAPI: Final = (
    Key("name", Name(), "its name, for napi_schedule"),
    Key("device", Reference("device"), "the device whose arrivals are packets"),
    Key("weight", Integer(1, INT_MAX, "a count"), "packets of one poll"),
    Key("packet", RandomDuration(), "cost of one packet"),
    Key("ring", Integer(1, INT_MAX, "a count"), "receive descriptors"),
)

_GPIO: Final = (
    Key("name", Name(), "its name, for the key gpio of devices"),
    Key("spi", _SPI, "the line that it is chained behind: SPI n, hwirq 32 + n"),
    Key("bank", BankBit(BANK_BITS), "the line that it is chained behind (bcm2836)"),
    Key("device", Reference("device"), "the device that it is: nested in that one's thread"),
    Key("lines", Integer(1, 1024, "a number of lines"), "how many lines it has"),
    Key("label", Name(), "its chip name in /proc/interrupts (default: its name)"),
    Key(
        "flow",
        Choice(("by-trigger", "simple")),
        "handle_edge_irq and handle_level_irq by the trigger, or handle_simple_irq",
    ),
)

_SOFTIRQ: Final = tuple(
    Key(name, Steps("softirq"), f"what {name} does beyond its duty: open_softirq()")
    for name in SOFTIRQ_NAMES
)

_TASKLET: Final = (
    Key("name", Name(), "its name"),
    Key("run", Steps("tasklet"), "its function"),
    Key("disabled", Boolean(), "DECLARE_TASKLET_DISABLED"),
)

_WORK: Final = (
    Key("name", Name(), "its name"),
    Key("run", Steps("work"), "its function, which may sleep"),
    Key(
        "queue",
        Choice(("system_wq", "system_highpri_wq", "system_unbound_wq")),
        "the workqueue that it is queued on",
    ),
)

_EXPIRY: Final = (
    Key("expires", Time(), "first expiry (default: one period in, or when a step arms it)"),
    Key("period", _TRUE_TIME, "armed again this long after each expiry"),
    Key("cpu", Cpu(), "the CPU that it is armed on"),
)
_TIMER: Final = (
    Key("name", Name(), "its name"),
    Key("run", Steps("timer"), "its function"),
    *_EXPIRY,
)
_HRTIMER: Final = (
    Key("name", Name(), "its name"),
    Key("run", Steps("hrtimer"), "its function"),
    *_EXPIRY,
    Key("mode", Choice(("hard", "soft")), "in hard interrupt context, or in HRTIMER"),
)

_TASK: Final = (
    Key("name", Name(COMM_MAX), "its name, and its comm if that is not given"),
    Key("comm", Name(COMM_MAX), "its comm, if that is not its name"),
    Key("run", Steps("task"), "its code"),
    Key("pid", Integer(1, PID_MAX, "a pid"), "its pid (default: the next free)"),
    Key("cpu", Cpu(), "the one CPU where it may run"),
    Key("affinity", CpuSet(), "the CPUs where it may run (default: all)"),
    Key("policy", Choice(("other", "fifo", "rr", "idle")), "scheduling policy"),
    Key("nice", Integer(-20, 19, "a nice value"), "nice value, for policy other"),
    Key("priority", Integer(1, 99, "a priority"), "real-time priority, for fifo and rr"),
    Key("start", Time(), "when it starts"),
    Key("loop", Boolean(), "start over when done"),
    Key("mode", Choice(("user", "kernel")), "a user process, or a kernel thread"),
    Key("asleep", Boolean(), "it sleeps until a step wakes it; 'start' does not"),
)

_AT: Final = (
    Key("time", Time(), "when it is typed"),
    Key("do", Commands(), "what is typed: cat PATH, echo WORDS > PATH, devmem", "commands"),
)

_TRACE: Final = (
    Key("events", Events(), "as in set_event: a system, an event, '*'"),
    Key("tracer", Choice(("nop", "function", "function_graph", "irqsoff")), "current_tracer"),
    Key("options", Options(), "as in trace_options, beyond the default"),
    Key(
        "buffer_size_kb",
        Integer(1, INT_MAX, "a size in kB"),
        "per-CPU ring buffer (default: nothing is lost)",
    ),
)

_REPLAY: Final = (
    Key("switches", SwitchesFile(), "who gave way to whom: lines of CPU TASK TASK"),
    Key("idle", ReplayFiles("task"), "what each CPU's idle task did: one file for each"),
    Key("ksoftirqd", ReplayFiles("task"), "what each ksoftirqd did around its softirqs"),
    Key("ipis", ReplayFile("handler"), "what inter-processor interrupts did"),
)

TABLES: Final[tuple[Table, ...]] = (
    Table("run", "one", "run", RunSpec, "the run as a whole", _RUN),
    Table("machine", "one", "machine", MachineSpec, "the hardware", _MACHINE),
    Table("kernel", "one", "kernel", KernelSpec, "the kernel's settings", _KERNEL),
    Table("cost", "map", "cost", CostSpec, "what the kernel itself costs", _COST),
    Table("device", "many", "devices", DeviceSpec, "a device and its driver", _DEVICE),
    Table("napi", "many", "napis", NapiSpec, "a NAPI context", _NAPI),
    Table("gpio", "many", "gpios", GpioSpec, "a chained GPIO controller", _GPIO),
    Table("softirq", "map", "softirqs", SoftirqSpec, "what vectors do beyond duty", _SOFTIRQ),
    Table("tasklet", "many", "tasklets", TaskletSpec, "a tasklet", _TASKLET),
    Table("work", "many", "works", WorkSpec, "a work item", _WORK),
    Table("timer", "many", "timers", TimerSpec, "a timer of the timer wheel", _TIMER),
    Table("hrtimer", "many", "hrtimers", HrtimerSpec, "a high-resolution timer", _HRTIMER),
    Table("task", "many", "tasks", TaskSpec, "a task", _TASK),
    Table("at", "many", "ats", AtSpec, "what an operator types while it runs", _AT),
    Table("replay", "one", "replay", ReplaySpec, "the rest of a capture", _REPLAY),
    Table("trace", "one", "trace", TraceSpec, "what is traced, and how", _TRACE),
)
