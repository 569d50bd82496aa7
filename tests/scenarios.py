"""Scenarios that several tests read, and how they look at faults."""

from __future__ import annotations

from irqsim.errors import ScenarioError
from irqsim.scenario.reader import read_text

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
priority = 0xC8
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
