"""What a scenario can get wrong: each fault with its line, its key and its message."""

from __future__ import annotations

import pytest

from tests.scenarios import device, fault_of, faults_of


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
        (
            '[machine]\nirqchip = "bcm2836"\n[[at]]\ntime = 1\ndo = ["devmem 0x8000000"]',
            "5: at[0].do: the registers of bcm2836 are not simulated",
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
        ('[[device]]\nname = "a"\npoll = "1ms"', "3: device[0].poll"),
        ("[kernel]\nnohz = false", "2: kernel.nohz"),
        (device('ack = "never"\narrivals = ["1ms"]'), "4: device[0].ack"),
        (device('ack = "explicit"\narrivals = ["1ms"]\nhandler = ["2us"]'), "4: device[0].ack"),
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
