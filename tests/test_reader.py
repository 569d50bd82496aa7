"""Reading scenarios: the whole language, and every fault with its place."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irqsim.errors import ScenarioError
from irqsim.scenario.new import template, template_names, template_summary
from irqsim.scenario.reader import read_scenario, read_text
from irqsim.scenario.spec import (
    AtCommand,
    Bursts,
    KernelSpec,
    Listed,
    Periodic,
    Poisson,
    ScenarioSpec,
    Step,
    TaskSpec,
)
from irqsim.units import Duration

TINY = """\
[[device]]
name = "ttyAMA0"
spi = 1
arrivals = ["1ms", "2ms", "3ms"]
handler = ["run 4us"]
"""

# Every table, and about every key.
FULL = """\
[run]
duration = "1s"
seed = 7
tick = "500ns"
clock = "100s"

[machine]
arch = "arm64"
cpus = 8
irqchip = "gic-v3"
priority_bits = 5

[kernel]
release = "6.12"
preempt = "full"
hz = 1000
nohz = false
rcu = false
threadirqs = true
softirq_restart = 5
softirq_time = "1ms"
netdev_budget = 64
storm_threshold = 10000
storm_action = "poll"
irqaffinity = "0-3"
pseudo_nmi = true

[cost]
irq_entry = "1200ns"
wakeup = 3

[[device]]
name = "eth0"
spi = 17
irq = 40
trigger = "level"
priority = 0x80
flags = ["IRQF_SHARED", "IRQF_ONESHOT"]
affinity = [2, 1]
arrivals = { every = "1ms", start = "5us", until = "9ms", jitter = "2us" }
handler = [
    "run 2us..5us",
    { chance = 0.25, do = ["napi_schedule nic"], else = ["return IRQ_NONE"] },
    "return IRQ_WAKE_THREAD",
]
thread = ["ack", "mutex_lock M", "msleep 5ms", "mutex_unlock M"]
ack = "explicit"
deadline = "1ms"
on_miss = "a packet is lost"

[[device]]
name = "usb host"
spi = 17
flags = ["IRQF_SHARED", "IRQF_ONESHOT"]
arrivals = { poisson = "50us", count = 100 }
handler = []

[[device]]
name = "timer"
ppi = 4
affinity = "0-3,6"
arrivals = { burst = 32, gap = "1us", every = "10ms", count = 3 }

[[device]]
name = "nvme"
lpi = 8200
probe = false

[[device]]
name = "key"
gpio = ["gpio0", 3]
trigger = "edge"

[[device]]
name = "slow"
poll = "1ms"
arrivals = [1, "2us"]
handler = ["disable_irq usb host", "irq_set_affinity usb host 0-3,5"]

[[device]]
name = "watchdog"
spi = 987
nmi = true

[[napi]]
name = "nic"
device = "eth0"
weight = 16
packet = "800ns"
ring = 32

[[gpio]]
name = "gpio0"
spi = 7
lines = 16
label = "pl061"

[softirq]
NET_RX = ["run 8us"]
BLOCK = ["3us"]

[[tasklet]]
name = "t"
run = [{ repeat = 2, do = ["tasklet_schedule t"] }]
disabled = true

[[work]]
name = "w"
run = ["queue_work_on 3 w", "queue_delayed_work w 5ms"]
queue = "system_highpri_wq"

[[timer]]
name = "tm"
run = ["mod_timer tm 5ms"]
expires = "2ms"
period = "4ms"
cpu = 7

[[hrtimer]]
name = "hr"
run = []
mode = "soft"

[[task]]
name = "worker"
pid = 1234
cpu = 3
policy = "fifo"
priority = 80
start = "1ms"
run = ["syscall 3us", "wait_event Q", "trace_printk all  done"]
loop = true

[[task]]
name = "kthread"
affinity = [0, 1]
mode = "kernel"
run = ["wake_up_process worker"]

[[at]]
time = "10ms"
do = ["cat /proc/interrupts", "echo 2 > /proc/irq/40/smp_affinity", "devmem 0x8000000"]

[trace]
events = ["irq", "sched:sched_switch", "*:timer_*"]
tracer = "function_graph"
options = ["noirq-info", "latency-format"]
buffer_size_kb = 64
"""


@pytest.fixture
def whole_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is refused for being not supported yet."""
    monkeypatch.setattr("irqsim.scenario.later.LATER", ())


def faults_of(text: str, *overrides: str) -> list[str]:
    """Line, key and message of each fault but for those of features yet to come."""
    try:
        read_text(text, "a.toml", overrides)
    except ScenarioError as error:
        lines = str(error).splitlines()
        return [line for line in lines if ": not supported yet: " not in line]
    return []


def fault_of(text: str, *overrides: str) -> str:
    """The one fault of a text."""
    faults = faults_of(text, *overrides)
    assert len(faults) == 1, faults
    return faults[0]


def device(*lines: str) -> str:
    """A device with what each scenario's device must have, and more lines."""
    return "\n".join(('[[device]]\nname = "a"\nspi = 1', *lines, ""))


def test_smallest_scenario_has_defaults() -> None:
    spec = read_text(TINY, "tiny.toml")
    (tty,) = spec.devices
    assert tty.arrivals == Listed((1_000_000, 2_000_000, 3_000_000))
    assert tty.handler == (Step("run", (Duration("fixed", 4_000),)),)
    assert tty.line == 1
    assert tty.handler[0].line == 5
    assert spec == ScenarioSpec(devices=(tty,))
    assert spec.file == "tiny.toml"


def test_empty_scenario_is_all_defaults() -> None:
    assert read_text("") == ScenarioSpec()


@pytest.mark.usefixtures("whole_language")
def test_whole_language() -> None:
    spec = read_text(FULL)
    eth0, usb, timer, nvme, key, slow, watchdog = spec.devices
    assert (spec.run.duration, spec.run.tick, spec.run.clock) == (10**9, 500, 100 * 10**9)
    assert spec.kernel.irqaffinity == (0, 1, 2, 3)
    assert spec.kernel.netdev_budget_usecs == 2_000
    assert spec.cost.costs == (("irq_entry", 1_500), ("wakeup", 1_500))
    assert (eth0.flags, eth0.affinity) == (("IRQF_SHARED", "IRQF_ONESHOT"), (1, 2))
    assert eth0.arrivals == Periodic(
        1_000_000, start=5_000, until=9_000_000, jitter=Duration("uniform", 0, 2_000)
    )
    assert eth0.thread is not None
    assert eth0.thread[:2] == (Step("ack"), Step("mutex_lock", ("M",)))
    assert usb.handler == ()
    assert usb.arrivals == Poisson(50_000, count=100)
    assert timer.arrivals == Bursts(32, 1_000, 10_000_000, count=3)
    assert timer.affinity == (0, 1, 2, 3, 6)
    assert (nvme.trigger, nvme.probe, nvme.handler) == ("edge", False, None)
    assert (key.gpio, watchdog.spi) == (("gpio0", 3), 987)
    assert slow.arrivals == Listed((500, 2_000))
    assert slow.handler == (
        Step("disable_irq", ("usb host",)),
        Step("irq_set_affinity", ("usb host", (0, 1, 2, 3, 5))),
    )
    assert spec.napis[0].packet == Duration("fixed", 1_000)
    assert [softirq.name for softirq in spec.softirqs] == ["NET_RX", "BLOCK"]
    assert spec.tasklets[0].disabled
    assert (spec.timers[0].expires, spec.hrtimers[0].expires) == (2_000_000, None)
    worker, kthread = spec.tasks
    assert worker.run[2] == Step("trace_printk", ("all  done",))
    assert kthread == TaskSpec(
        "kthread", (Step("wake_up_process", ("worker",)),), affinity=(0, 1), mode="kernel"
    )
    assert spec.ats[0].commands[1] == AtCommand("echo", "/proc/irq/40/smp_affinity", "2\n")
    assert spec.trace.options == ("latency-format",)


def test_features_yet_to_come_are_refused_and_never_ignored() -> None:
    with pytest.raises(ScenarioError) as caught:
        read_text(FULL)
    faults = caught.value.faults
    assert all(fault.message.startswith("not supported yet: ") for fault in faults)
    assert all(fault.line is not None for fault in faults)


def test_defaults_are_whole_ticks_too() -> None:
    spec = read_text('[run]\ntick = "1500us"\n[kernel]\nsoftirq_restart = 3\n')
    assert spec.kernel.softirq_time == 3_000_000


@pytest.mark.parametrize(("hz", "usecs"), [(1000, 2_000), (250, 8_000), (100, 20_000)])
def test_netdev_time_limit_is_two_jiffies(hz: int, usecs: int) -> None:
    assert read_text(f"[kernel]\nhz = {hz}").kernel == KernelSpec(hz=hz, netdev_budget_usecs=usecs)


def test_all_faults_are_found_at_once_in_the_order_of_lines() -> None:
    text = (
        '[run]\nduratoin = "5ms"\n[machine]\ncpus = 0\n'
        '[[device]]\nname = "a"\nspi = 1\nhandler = [\n  "run 2us",\n  "ru 3us",\n]\n'
        "[[task]]\n[tasklte]\n"
    )
    assert faults_of(text) == [
        "a.toml:2: run.duratoin: unknown key; did you mean 'duration'?",
        "a.toml:4: machine.cpus: expected a number of CPUs (1 to 256), got 0",
        "a.toml:10: device[0].handler[1]: unknown step 'ru'; did you mean 'run'?",
        "a.toml:12: task[0]: missing key 'name'",
        "a.toml:12: task[0]: missing key 'run'",
        "a.toml:13: tasklte: unknown table; did you mean 'tasklet'?",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("run = 3", "1: run: expected one table, write [run]; got 3"),
        ("[[run]]", "1: run: expected one table, write [run]; got a list"),
        ("[device]", "1: device: expected a list of tables, write [[device]]; got a table"),
        ("device = [1]", "1: device: expected a list of tables"),
        ("[run]\ntick = 5", "2: run.tick: expected a time with its unit"),
        ('[run]\ntick = "0us"', "2: run.tick: expected a time above zero"),
        ('[run]\nduration = "~5ms"', "2: run.duration: expected a fixed time"),
        ("[run]\nduration = 1.5", "2: run.duration: expected a time such as '2us', got 1.5"),
        ("[run]\nduration = true", "2: run.duration: expected a time such as '2us', got true"),
        ("[run]\nseed = -1", "2: run.seed: expected a seed (0 to 18446744073709551615), got -1"),
        ('[machine]\narch = "armv7"', "2: machine.arch: unknown value 'armv7'; did you mean 'arm"),
        ("[machine]\narch = 7", "2: machine.arch: expected arm or arm64, got 7"),
        ('[machine]\nirqchip = "gic-v2"\ncpus = 9', "3: machine.cpus: expected at most 8 CPUs"),
        ('[machine]\nirqchip = "bcm2836"\ncpus = 5', "3: machine.cpus: expected at most 4 CPUs"),
        ('[machine]\narch = "arm"\ncpus = 33', "3: machine.cpus: expected at most 32 CPUs"),
        ('[machine]\narch = "arm"\n[kernel]\npseudo_nmi = true', "4: kernel.pseudo_nmi: needs arm"),
        ('[kernel]\nirqaffinity = "0-9"', "2: kernel.irqaffinity: expected a CPU of this machine"),
        ("[kernel]\nirqaffinity = []", "2: kernel.irqaffinity: expected at least one CPU"),
        ('[kernel]\nrelease = "6.13"', "2: kernel.release: unknown value '6.13'; did you mean"),
        ("[kernel]\nnohz = 0", "2: kernel.nohz: expected true or false, got 0"),
        ('[cost]\nirq_entri = "1us"', "2: cost.irq_entri: unknown key; did you mean 'irq_entry'?"),
        ('[cost]\nirq_entry = "1us..2us"', "2: cost.irq_entry: expected a fixed time"),
        ('[softirq]\nNETRX = []', "2: softirq.NETRX: unknown key; did you mean 'NET_RX'?"),
        ('[softirq]\nNET_RX = ["ack"]', "2: softirq.NET_RX[0]: 'ack' is for handler and thread"),
        ('[[device]]\nname = "a"', "1: device[0]: missing key: one of spi, ppi, lpi, gpio, bank"),
        ('[[device]]\nname = "a"\nppi = 27', "use 'ppi = 11'"),
        ('[[device]]\nname = "a"\nppi = 33', "hwirq 33 is an SPI: use 'spi = 1'"),
        ('[[device]]\nname = "a"\nspi = 1000', "use 'spi = 968'"),
        ('[[device]]\nname = "a"\nspi = 9000', "use 'lpi = 9000'"),
        ('[[device]]\nname = "a"\nlpi = 40', "use 'spi = 8'"),
        ('[[device]]\nname = ""\nspi = 1', "2: device[0].name: expected a name"),
        ('[[device]]\nname = "a\\tb"\nspi = 1', "2: device[0].name: expected one line of text"),
        (device("ppi = 2"), "4: device[0].ppi: the line is given twice, by 'spi' too"),
        (device("bank = [0, 3]", "spi_ = 1"), "5: device[0].spi_: unknown key; did you mean 'spi"),
        (device("priority = 256"), "4: device[0].priority: expected a GIC priority (0 to 255)"),
        (device('trigger = "high"'), "4: device[0].trigger: unknown value 'high'; expected level"),
        (device('flags = ["IRQF_SHARD"]'), "4: device[0].flags[0]: unknown flag 'IRQF_SHARD'; did"),
        (device('flags = "IRQF_SHARED"'), "4: device[0].flags: expected a list such as"),
        (device("flags = [[]]"), "4: device[0].flags[0]: expected a flag"),
        (device('flags = ["IRQF_COND_ONESHOT"]'), "Linux 6.1 has no IRQF_COND_ONESHOT"),
        (device("affinity = [4]"), "4: device[0].affinity: expected a CPU of this machine (0-3)"),
        (device("affinity = [true]"), "4: device[0].affinity: expected CPUs such as"),
        (device('handler = "run 2us"'), "4: device[0].handler: expected a list of steps"),
        (device('ack = "always"'), "4: device[0].ack: unknown value 'always'; expected one of"),
        (device("nmi = true"), "4: device[0].nmi: request_nmi() returns -EINVAL without"),
        (device('poll = "0us"'), "4: device[0].poll: expected a time above zero"),
        (device('arrivals = "1ms"'), "4: device[0].arrivals: expected a list of times or a table"),
        (device('arrivals = ["1ms", "x"]'), "4: device[0].arrivals[1]: expected a time such as"),
        (device("arrivals = {}"), "4: device[0].arrivals: expected one of poisson, burst, every"),
        (
            device('arrivals = { every = "0us", count = 1 }'),
            "4: device[0].arrivals.every: expected a time above zero",
        ),
        (
            device('arrivals = { every = "1us", count = 1, gap = "1us" }'),
            "4: device[0].arrivals.gap: unknown key",
        ),
        (
            device('arrivals = { burst = 2, every = "1us", count = 1 }'),
            "4: device[0].arrivals: missing key 'gap'",
        ),
        (device('arrivals = { file = "no/such" }'), "4: device[0].arrivals.file: no/such: No such"),
        (device('arrivals = { file = 3 }'), "4: device[0].arrivals.file: expected the name of a"),
        ('[[device]]\nname = "a"\nlpi = 8192\ntrigger = "level"', "an LPI is always an edge"),
        (
            '[machine]\nirqchip = "gic-v2"\n[[device]]\nname = "a"\nlpi = 8192',
            "5: device[0].lpi: gic-v2 has no LPIs",
        ),
        ('[[device]]\nname = "a"\nbank = [1, 3]', "3: device[0].bank: gic-v3 has no such line"),
        ('[[device]]\nname = "a"\nbank = [0, 8]', "expected a bit of bank 0 (0 to 7), got 8"),
        ('[[device]]\nname = "a"\nbank = [3, 1]', "expected a bank (0 to 2), got 3"),
        ('[[device]]\nname = "a"\nbank = 3', "3: device[0].bank: expected a bank and a bit"),
        ('[[device]]\nname = "a"\ngpio = ["g", 1]', "unknown gpio 'g': the scenario has no"),
        (
            '[[device]]\nname = "a"\ngpio = ["g", 8]\n[[gpio]]\nname = "g"\nspi = 3',
            "3: device[0].gpio: expected a line of 'g' (0 to 7), got 8",
        ),
        (
            '[[gpio]]\nname = "f"\nspi = 3\n[[gpio]]\nname = "g"\nspi = 3',
            "6: gpio[1].spi: SPI 3 is taken by the controller 'f'",
        ),
        ('[[napi]]\nname = "n"\ndevice = "x"', "3: napi[0].device: unknown device 'x'"),
        ('[[tasklet]]\nname = "t"', "1: tasklet[0]: missing key 'run'"),
        ('[[work]]\nname = "w"\nrun = []\nqueue = "mine"', "4: work[0].queue: unknown value"),
        ('[[timer]]\nname = "t"\nrun = []\ncpu = 4', "4: timer[0].cpu: expected a CPU of this"),
        ('[[hrtimer]]\nname = "t"\nrun = []\nmode = "firm"', "4: hrtimer[0].mode: unknown value"),
        ('[[task]]\nname = "0123456789abcdef"\nrun = []', "2: task[0].name: expected at most 15"),
        ('[[task]]\nname = "a"\nrun = []\nnice = 20', "4: task[0].nice: expected a nice value"),
        ('[[task]]\nname = "a"\nrun = []\npriority = 100', "4: task[0].priority: expected a"),
        ('[[task]]\nname = "a"\nrun = []\ncpu = 1\naffinity = [1]', "4: task[0].cpu: 'cpu' and"),
        (
            '[[task]]\nname = "a"\nmode = "kernel"\nrun = ["syscall 2us"]',
            "4: task[0].run: 'syscall' is for tasks of mode 'user'",
        ),
        (
            '[[task]]\nname = "a"\npid = 7\nrun = []\n[[task]]\nname = "b"\npid = 7\nrun = []',
            "7: task[1].pid: the pid 7 is taken by 'a'",
        ),
        ('[[at]]\ntime = "1ms"\ndo = "cat /x"', "3: at[0].do: expected a list of commands"),
        ('[[at]]\ntime = "1ms"\ndo = ["cat /x", 3]', "3: at[0].do[1]: expected a command, got 3"),
        ('[[at]]\ndo = []', "1: at[0]: missing key 'time'"),
        ('[trace]\nevents = ["irk"]', "2: trace.events[0]: unknown event 'irk'; did you mean"),
        ('[trace]\nevents = ["sched:sched_swich"]', "did you mean 'sched:sched_switch'?"),
        ('[trace]\nevents = "irq"', "2: trace.events: expected a list such as"),
        ('[trace]\noptions = ["irqinfo"]', "2: trace.options[0]: unknown option 'irqinfo'; did"),
        ("[trace]\nbuffer_size_kb = 0", "2: trace.buffer_size_kb: expected a size in kB"),
    ],
)
def test_faults(text: str, fault: str) -> None:
    assert fault in fault_of(text)


def test_names_are_unique() -> None:
    text = device() + device("irq = 7").replace("spi = 1", "spi = 2")
    assert fault_of(text) == "a.toml:5: device[1].name: the name 'a' is taken by device[0] (line 2)"


def test_fault_in_one_part_does_not_cause_others() -> None:
    """The device whose trigger is wrong is not compared with the one that shares its line."""
    text = '[machine]\ncpus = "x"\n' + device('trigger = "x"', 'flags = ["IRQF_SHARED"]')
    text += '[[device]]\nname = "b"\nspi = 1\naffinity = [200]\nflags = ["IRQF_SHARED"]\n'
    assert [fault.split(":")[1] for fault in faults_of(text)] == ["2", "6"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            device("irq = 24") + '[[device]]\nname = "b"\nspi = 1',
            "5: device[1].flags: request_irq() returns -EBUSY: 'a' has the line, and to share it "
            "both need IRQF_SHARED (genirq: Flags mismatch irq 24. 00000004 (b) vs. 00000004 (a))",
        ),
        (
            device('flags = ["IRQF_SHARED"]')
            + '[[device]]\nname = "b"\nspi = 1\ntrigger = "edge"\nflags = ["IRQF_SHARED"]',
            "9: device[1].flags: request_irq() returns -EBUSY: it shares the line with 'a', whose "
            "trigger is another (genirq: Flags mismatch irq <spi 1>. 00000081 (b) vs. "
            "00000084 (a))",
        ),
        (
            device('thread = ["run 2us"]'),
            "1: device[0].flags: request_irq() returns -EINVAL: a thread without a handler needs "
            "IRQF_ONESHOT, or the line would fire for ever (genirq: Threaded irq requested with "
            "handler=NULL and !ONESHOT for a (irq <spi 1>))",
        ),
        (
            device('flags = ["IRQF_SHARED", "IRQF_NO_AUTOEN"]'),
            "4: device[0].flags: request_irq() returns -EINVAL: IRQF_SHARED and IRQF_NO_AUTOEN "
            "exclude each other",
        ),
        (
            '[[device]]\nname = "a"\nppi = 3\nflags = ["IRQF_PERCPU"]',
            "4: device[0].flags: request_irq() returns -EINVAL: request_percpu_irq() takes no "
            "flags but the timer's",
        ),
        (
            '[[device]]\nname = "a"\nppi = 11',
            "1: device[0].flags: request_irq() returns -EBUSY: 'arch_timer' has the line, and to "
            "share it both need IRQF_SHARED (genirq: Flags mismatch irq <ppi 11>. 00004404 (a) vs. "
            "00004404 (arch_timer))",
        ),
        (
            device() + '[[gpio]]\nname = "g"\nspi = 1',
            "1: device[0].flags: request_irq() returns -EINVAL: the line belongs to a chained "
            "interrupt controller",
        ),
    ],
)
def test_what_the_kernel_refuses_is_a_fault(text: str, fault: str) -> None:
    assert fault_of(text) == f"a.toml:{fault}"


def test_device_that_is_not_probed_requests_nothing() -> None:
    other = '[[device]]\nname = "b"\nspi = 1\nprobe = false'
    assert faults_of(device() + other) == []
    assert len(faults_of(device() + other.replace("false", "true"))) == 1


def test_number_belongs_to_one_line() -> None:
    other = '[[device]]\nname = "b"\nspi = 2\nirq = 24\n'
    assert "the number 24 is taken by another line" in fault_of(device("irq = 24") + other)
    shared = device("irq = 24", 'flags = ["IRQF_SHARED"]')
    second = '[[device]]\nname = "b"\nspi = 1\nirq = 25\nflags = ["IRQF_SHARED"]\n'
    assert "spi 1 has the number 24 already" in fault_of(shared + second)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (device('arrivals = { every = "1ms" }'), "4: device[0].arrivals"),
        (device('arrivals = { poisson = "1ms" }'), "4: device[0].arrivals"),
        ('[[timer]]\nname = "t"\nrun = []\nperiod = "1ms"', "4: timer[0].period"),
        ('[[task]]\nname = "t"\nrun = ["2us"]\nloop = true', "4: task[0].loop"),
        ("[kernel]\nnohz = false", "2: kernel.nohz"),
    ],
)
def test_run_that_would_never_stop_is_refused(text: str, key: str) -> None:
    assert fault_of(text).startswith(f"a.toml:{key}: the run would never stop: ")
    assert faults_of(text, "run.duration=1s") == []


@pytest.mark.parametrize(
    "text",
    [
        device('arrivals = { every = "1ms", count = 3 }'),
        device('arrivals = { every = "1ms" }', 'handler = ["panic no"]'),
        '[[task]]\nname = "t"\nrun = ["2us", "schedule"]\nloop = true',
        '[[timer]]\nname = "t"\nrun = ["del_timer t"]\nperiod = "1ms"',
    ],
)
def test_run_that_may_stop_is_not_refused(text: str) -> None:
    assert faults_of(text) == []


def test_arrivals_of_a_file(tmp_path: Path) -> None:
    """The file is beside the scenario; what is wrong in it is reported with its line."""
    scenario = tmp_path / "a.toml"
    scenario.write_text(device('arrivals = { file = "a.times" }'))
    times = tmp_path / "a.times"
    times.write_text("# when\n3us\n\n1.5us  # early\n7\n")
    assert read_scenario(scenario).devices[0].arrivals == Listed((2_000, 3_000, 7_000))
    times.write_text("1us\nnoon\n")
    with pytest.raises(ScenarioError) as caught:
        read_scenario(scenario)
    assert str(caught.value).startswith(f"{times}:2: device[0].arrivals.file: expected a time")
    times.write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="expected text"):
        read_scenario(scenario)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[run\n", "a.toml:1: not TOML: Expected ']' at the end of a table declaration"),
        ("a = 1\nb = \n", "a.toml:2: not TOML: Invalid value (column 5)"),
        ("a = 1\na = 2", "a.toml:2: not TOML: Cannot overwrite a value"),
        ("a = '''\n\n", "a.toml:1: not TOML: Expected \"'''\" (at the end of the file)"),
        ("a = " + "[" * 20_000, "not TOML|nested too deeply"),
        ("a = " + "9" * 5_000, "not TOML: "),
    ],
)
def test_syntax_faults_have_their_line(text: str, fault: str) -> None:
    assert any(part in fault_of(text) for part in fault.split("|"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read: No such file"):
        read_scenario(tmp_path / "none.toml")
    with pytest.raises(ScenarioError, match="cannot be read: Is a directory"):
        read_scenario(tmp_path)
    with pytest.raises(ScenarioError, match="cannot be read: embedded null"):
        read_scenario("a\0b")
    (tmp_path / "latin.toml").write_bytes(b"# one\n# caf\xe9\n")
    with pytest.raises(ScenarioError, match=r"latin.toml:2: not text"):
        read_scenario(tmp_path / "latin.toml")


def test_windows_files_are_read(tmp_path: Path) -> None:
    """A byte order mark and other line ends change nothing, nor the lines."""
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xef\xbb\xbf" + TINY.replace("\n", "\r\n").encode())
    spec = read_scenario(file)
    assert spec == read_text(TINY)
    assert spec.devices[0].handler is not None
    assert spec.devices[0].handler[0].line == 5


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[run]\nsed = 1\n")))
    with pytest.raises(ScenarioError) as caught:
        read_scenario("-")
    assert str(caught.value) == "stdin:2: run.sed: unknown key; did you mean 'seed'?"


@pytest.mark.parametrize("name", template_names())
def test_templates_are_valid_and_explain_themselves(name: str) -> None:
    text = template(name)
    read_text(text, f"{name}.toml")
    assert text.startswith("# ")
    assert f"irqsim run {name}.toml" in text
    assert template_summary(name).endswith(".")


def test_templates_that_there_must_be() -> None:
    assert {"minimal", "tasklet", "shared-line", "ksoftirqd"} <= set(template_names())


def test_real_scenarios_are_read(reference: Path) -> None:
    """All that was played on a real kernel is valid, but for what is yet to come."""
    files = sorted(reference.rglob("scenario.toml"))
    if not files:
        pytest.skip("no scenarios there")
    for file in files:
        assert faults_of(file.read_text(encoding="utf-8")) == []


def test_ten_thousand_faults_are_all_reported() -> None:
    text = device("handler = [", *(f'"sped {number}",' for number in range(10_000)), "]")
    faults = faults_of(text)
    assert len(faults) == 10_000
    assert faults[-1].startswith("a.toml:10004: device[0].handler[9999]: unknown step 'sped'")


# What follows looks for inputs that break the reader: only ScenarioError may come out.

WORDS = st.sampled_from(
    (
        *"[]{}\"'=,.#\n\\ ",
        "[[device]]\n",
        "[run]\n",
        "[kernel.x]\n",
        "device",
        "name",
        "spi",
        "handler",
        "'''",
        '"""',
        "\r\n",
        "1979-05-27",
        "07:32:00",
        "inf",
        "-nan",
        "1e999999999999999999999",
        "0x7",
        "true",
        "run 2us",
        "~",
        "..",
        "±",
        "\x00",
        "é",
        "😀",
    )
)


def only_faults(text: str, *overrides: str) -> None:
    """The text is read, or refused with faults that name their place."""
    try:
        spec = read_text(text, "a.toml", overrides)
    except ScenarioError as error:
        assert error.faults
        for fault in error.faults:
            assert re.match(r"(a\.toml(:\d+)?|--set): ", str(fault)), str(fault)
            assert "\n" not in fault.message
            if fault.line is not None:
                assert 1 <= fault.line <= text.count("\n") + 1
        return
    assert isinstance(spec, ScenarioSpec)


@given(st.lists(st.one_of(WORDS, st.text(max_size=5)), max_size=40).map("".join))
def test_no_text_breaks_the_reader(text: str) -> None:
    only_faults(text)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """The full scenario with some of its lines or words replaced."""
    lines = FULL.split("\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(("drop", "double", "swap", "value", "word")))
        if kind == "drop":
            lines[at] = ""
        elif kind == "double":
            lines.insert(at, lines[at])
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == "value":
            key = lines[at].partition("=")[0]
            lines[at] = f"{key}= {draw(VALUES)}"
        else:
            cut = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:cut] + draw(WORDS) + lines[at][cut:]
    return "\n".join(lines)


VALUES = st.recursive(
    st.one_of(
        st.integers(-(10**20), 10**20).map(str),
        st.sampled_from(("true", "1.5", "nan", "1979-05-27", '"2us"', '"~3ms"', '"0-3"', "'eth0'")),
        st.text("ab 2us~.", max_size=6).map(lambda text: f'"{text}"'),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(
            st.sampled_from(("do", "if", "every", "count", "file", "repeat", "x")),
            inner,
            max_size=3,
        ).map(lambda pairs: f"{{ {', '.join(f'{k} = {v}' for k, v in pairs.items())} }}"),
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(mutations())
def test_no_mutation_breaks_the_reader(text: str) -> None:
    only_faults(text)
