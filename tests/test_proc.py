"""The machine's files: what they say, what they take, and what they refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from irqsim.proc.cpumask import read_bool, read_cpulist, read_cpumask, read_number
from irqsim.proc.errno import FileError
from irqsim.proc.files import canonical
from irqsim.scenario.reader import read_text
from irqsim.simulation import Simulation, build
from tests.simulations import BUSY, TRACING, simulate

# A Debian machine's first devices: its interrupts have the numbers of the capture.
VIRT = """\
[machine]
irqchip = "gic-v3"
[[device]]
name = "uart-pl011"
spi = 1
irq = 13
[[device]]
name = "rtc-pl031"
spi = 2
irq = 16
"""


def fresh(text: str = BUSY) -> Simulation:
    """A machine that has not run."""
    return build(read_text(text), lambda records: None)


def refused(sim: Simulation, path: str, text: str, append: bool = False) -> str:
    """Why a write is refused."""
    with pytest.raises(FileError) as caught:
        sim.files.write(path, text, append)
    return caught.value.reason


# -- numbers and masks -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "nr_cpus", "cpus"),
    [
        ("3\n", 4, (0, 1)),
        ("0000000f", 4, (0, 1, 2, 3)),
        ("F\n", 4, (0, 1, 2, 3)),
        (" 1 \n", 4, (0,)),
        ("1,00000001\n", 64, (0, 32)),
        ("1,1\n", 64, (0, 32)),
        ("0\n", 4, ()),
        ("\n", 4, ()),
        (",,\n", 4, ()),
    ],
)
def test_cpumask_is_read(text: str, nr_cpus: int, cpus: tuple[int, ...]) -> None:
    assert read_cpumask(text, nr_cpus) == cpus


@pytest.mark.parametrize(
    ("text", "errno"),
    [
        ("10\n", "EOVERFLOW"),
        ("8000\n", "EOVERFLOW"),
        ("1,0\n", "EOVERFLOW"),
        ("123456789\n", "EOVERFLOW"),
        ("zz\n", "EINVAL"),
        ("0x1\n", "EINVAL"),
        ("-1\n", "EINVAL"),
    ],
)
def test_cpumask_is_refused(text: str, errno: str) -> None:
    """Source: what a 6.18 kernel says to these."""
    with pytest.raises(FileError) as caught:
        read_cpumask(text, 4)
    assert caught.value.errno.name == errno


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0-3,6\n", (0, 1, 2, 3, 6)),
        ("2\n", (2,)),
        ("1 3\n", (1, 3)),
        ("0-7:1/2\n", (0, 2, 4, 6)),
        ("0-7:2/4\n", (0, 1, 4, 5)),
        ("all\n", tuple(range(8))),
        ("6-N\n", (6, 7)),
        ("\n", ()),
    ],
)
def test_cpulist_is_read(text: str, cpus: tuple[int, ...]) -> None:
    assert read_cpulist(text, 8) == cpus


@pytest.mark.parametrize(
    ("text", "errno"),
    [
        ("8\n", "ERANGE"),
        ("1000-2000\n", "ERANGE"),
        ("5000000000\n", "EOVERFLOW"),
        ("3-1\n", "EINVAL"),
        ("x\n", "EINVAL"),
        ("0-\n", "EINVAL"),
        ("-1\n", "EINVAL"),
        ("1:1/2\n", "EINVAL"),
        ("0-7:1/0\n", "EINVAL"),
        ("0-7:3/2\n", "EINVAL"),
    ],
)
def test_cpulist_is_refused(text: str, errno: str) -> None:
    """Source: what a 6.18 kernel says to these."""
    with pytest.raises(FileError) as caught:
        read_cpulist(text, 8)
    assert caught.value.errno.name == errno


def test_numbers_and_switches() -> None:
    assert [read_number(text) for text in ("0", "12\n", "+3\n")] == [0, 12, 3]
    for text in ("", "\n", " 0", "0x0", "-1", "1\n\n"):
        with pytest.raises(FileError):
            read_number(text)
    assert [read_bool(text) for text in ("1\n", "Y", "on", "yes")] == [True] * 4
    assert [read_bool(text) for text in ("0\n", "n", "off", "no")] == [False] * 4
    for text in ("\n", "2", "o"):
        with pytest.raises(FileError):
            read_bool(text)


# -- finding a file ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "errno"),
    [
        ("/proc/nothing", "ENOENT"),
        ("/nothing", "ENOENT"),
        ("/proc/irq/99/node", "ENOENT"),
        ("/proc/irq/eth9/node", "ENOENT"),
        ("/sys/kernel/tracing/events/sched/irq_handler_entry/enable", "ENOENT"),
        ("/proc/stat/x", "ENOTDIR"),
        ("/proc/stat/", "ENOTDIR"),
        ("/", "EISDIR"),
        ("/proc/irq", "EISDIR"),
        ("/proc/irq/eth0", "EISDIR"),
        ("/proc/irq/13/eth0", "EISDIR"),
        ("/proc/irq/13/eth0/x", "ENOENT"),
        ("/sys/devices/system/cpu/cpu3", "EISDIR"),
        ("/sys/devices/system/cpu/cpu4/online", "ENOENT"),
        (f"{TRACING}/trace_marker", "EINVAL"),
    ],
)
def test_what_is_no_file_is_refused(path: str, errno: str) -> None:
    sim = fresh()
    with pytest.raises(FileError) as caught:
        sim.read_file(path)
    assert caught.value.errno.name == errno
    assert str(caught.value) == f"{path}: {caught.value.errno.text}"


def test_an_interrupt_has_its_number_and_the_names_of_its_actions() -> None:
    sim = fresh()
    for file in ("proc/irq/{}/smp_affinity", "sys/kernel/irq/{}/hwirq"):
        named = sim.read_file("/" + file.format("eth0"))
        assert named == sim.read_file("/" + file.format(13))
    assert sim.read_file("/sys/kernel/irq/eth0/hwirq") == "56\n"


def test_tracefs_is_found_below_debugfs_too() -> None:
    assert canonical("/sys/kernel/debug/tracing//trace") == f"{TRACING}/trace"
    assert canonical("/sys/kernel/debug") == "/sys/kernel/debug"
    assert fresh().read_file("/sys/kernel/debug/tracing/tracing_on") == "1\n"


# -- what files say ----------------------------------------------------------------------


def test_interrupts_that_have_been_served() -> None:
    outcome = simulate(BUSY)
    rows = outcome.sim.read_file("/proc/interrupts").splitlines()
    assert [rows[2], rows[3], rows[-1]] == [
        " 13:         29          0          0          0     GICv3  56 Level     eth0",
        " 14:          1          1          1          1     GICv3  23 Level     pmu",
        "Err:          0",
    ]


def test_stat_counts_what_interrupts_hides() -> None:
    for release, is_irq in (("4.19", False), ("6.1", True)):
        sim = simulate(f'[kernel]\nrelease = "{release}"\n{BUSY}').sim
        intr, ctxt, softirq = sim.read_file("/proc/stat").splitlines()
        label, *words = intr.split()
        total, *counts = map(int, words)
        nr_ipis = sum(map(sum, sim.kernel.ipi.counts))
        assert (label, len(counts)) == ("intr", 64)
        assert nr_ipis > 0
        assert sum(counts) == (total if is_irq else total - nr_ipis)
        assert not is_irq or sum(counts[1:8]) == nr_ipis
        assert int(ctxt.split()[1]) >= 2
        name, total_softirqs, *vectors = softirq.split()
        assert (name, len(vectors)) == ("softirq", 10)
        assert int(total_softirqs) == sum(map(int, vectors))
        ipis = [row for row in sim.read_file("/proc/interrupts").splitlines() if "IPI" in row]
        assert sum(int(word) for row in ipis for word in row.split()[1:5]) == nr_ipis


def test_the_list_of_stat_grows_with_the_numbers_in_use() -> None:
    sim = fresh('[[device]]\nname = "a"\nspi = 1\nirq = 900\n')
    assert len(sim.read_file("/proc/stat").splitlines()[0].split()) == 2 + 901
    sim = fresh('[machine]\narch = "arm"\nirqchip = "gic-v2"\n')
    assert len(sim.read_file("/proc/stat").splitlines()[0].split()) == 2 + 28


def test_spurious_interrupts_are_dated() -> None:
    text = """\
[run]
duration = "20ms"
[[device]]
name = "a"
spi = 1
trigger = "edge"
arrivals = ["9ms"]
handler = ["return IRQ_NONE"]
"""
    spurious = simulate(text).sim.read_file("/proc/irq/a/spurious")
    # Two jiffies of 4 ms after INITIAL_JIFFIES, in 32 bits: see jiffies_to_msecs().
    last_ms = ((2**32 - 300 * 250 + 2) * 4) % 2**32
    assert spurious == f"count 1\nunhandled 1\nlast_unhandled {last_ms} ms\n"


def test_a_freed_line_keeps_its_place() -> None:
    text = """\
[[device]]
name = "a"
spi = 1
arrivals = ["1ms"]
[[device]]
name = "later"
spi = 2
probe = false
[[task]]
name = "rmmod"
start = "2ms"
run = ["free_irq a"]
"""
    for release, is_listed in (("6.1", True), ("6.12", False)):
        sim = simulate(f'[kernel]\nrelease = "{release}"\n{text}').sim
        rows = [row for row in sim.read_file("/proc/interrupts").splitlines() if " 33 " in row]
        assert bool(rows) is is_listed
        assert sim.read_file("/sys/kernel/irq/13/actions") == ""
        assert sim.read_file("/sys/kernel/irq/13/type") == "level\n"
        assert sim.read_file("/proc/irq/13/node") == "-1\n"
        # A line that nobody has requested yet is only in sysfs.
        assert sim.read_file("/sys/kernel/irq/14/type") == "edge\n"
        with pytest.raises(FileError):
            sim.read_file("/proc/irq/14/node")


def test_softnet_stat_has_the_columns_of_its_release() -> None:
    for release, width in (("4.19", 11), ("5.10", 13), ("6.12", 15)):
        sim = fresh(f'[kernel]\nrelease = "{release}"\n')
        rows = [row.split() for row in sim.read_file("/proc/net/softnet_stat").splitlines()]
        assert [len(row) for row in rows] == [width] * 4
        if width > 11:
            assert [row[12] for row in rows] == [f"{cpu:08x}" for cpu in range(4)]


def test_irqsim_counts_devices() -> None:
    assert simulate(BUSY).sim.read_file("/proc/irqsim").splitlines() == [
        "  arrivals     merged    dropped   services     missed  device",
        "        29          0          0         29          0  eth0",
        "         1          0          0          4          0  pmu",
    ]


def test_the_tree_has_every_file_once() -> None:
    sim = simulate(BUSY).sim
    paths = [path for path, _ in sim.tree()]
    assert sorted(paths) == sorted(dict.fromkeys(paths))
    assert "proc/irq/13/eth0/" in paths
    assert not [path for path in paths if path.startswith("/") or "tracing" in path]
    for path, text in sim.tree():
        if not path.endswith("/") and path != "dmesg":
            assert sim.read_file(f"/{path}") == text


def test_a_directory_is_made_only_for_what_can_be_its_name() -> None:
    names = ("spurious", "a/b", "..", "two words")
    devices = [
        f'[[device]]\nname = "{name}"\nspi = 1\nflags = ["IRQF_SHARED"]\n' for name in names
    ]
    directories = [path for path, _ in fresh("".join(devices)).tree() if path.endswith("/")]
    assert directories == ["proc/irq/13/two words/"]


# -- what files take ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("/proc/irq/eth0/smp_affinity", "0\n", "write error: Invalid argument"),
        ("/proc/irq/eth0/smp_affinity", "x\n", "write error: Invalid argument"),
        ("/proc/irq/eth0/smp_affinity", "10\n",
         "write error: Value too large for defined data type"),
        ("/proc/irq/eth0/smp_affinity_list", "4\n",
         "write error: Numerical result out of range"),
        ("/proc/irq/11/smp_affinity", "1\n", "write error: Input/output error"),
        ("/proc/irq/pmu/smp_affinity", "junk\n", "write error: Input/output error"),
        ("/proc/irq/default_smp_affinity", "0\n", "write error: Invalid argument"),
        ("/proc/irq/eth0/node", "1\n", "write error: Input/output error"),
        ("/proc/interrupts", "1\n", "write error: Input/output error"),
        ("/proc/nothing", "1\n", "No such file or directory"),
        ("/proc/irq", "1\n", "Is a directory"),
        ("/sys/kernel/irq/13/type", "1\n", "Permission denied"),
        ("/sys/kernel/irq/13/type", "", "Permission denied"),
        ("/sys/devices/system/cpu/online", "1\n", "Permission denied"),
        ("/sys/devices/system/cpu/cpu1/online", "x\n", "write error: Invalid argument"),
        (f"{TRACING}/available_events", "x\n", "write error: Invalid argument"),
        (f"{TRACING}/tracing_on", "x\n", "write error: Invalid argument"),
        (f"{TRACING}/events/irq/enable", "2\n", "write error: Invalid argument"),
        (f"{TRACING}/set_event", "nonsense\n", "write error: Invalid argument"),
        (f"{TRACING}/set_event", "sched_*\n", "write error: Invalid argument"),
        (f"{TRACING}/set_event", "*\n", "write error: Invalid argument"),
        (f"{TRACING}/trace_options", "foo\n", "write error: Invalid argument"),
        (f"{TRACING}/trace_options", "\n", "write error: Invalid argument"),
        (f"{TRACING}/trace_options", f"{'a' * 70}\n", "write error: Invalid argument"),
        (f"{TRACING}/trace_options", "hex\n",
         "switching the trace option hex is not supported yet"),
        (f"{TRACING}/options/irq-info", "2\n", "write error: Invalid argument"),
        (f"{TRACING}/current_tracer", "function\n", "write error: Invalid argument"),
        (f"{TRACING}/trace_clock", "boo\n", "write error: Invalid argument"),
        (f"{TRACING}/trace_clock", "mono\n", "another trace clock is not supported yet"),
    ],
)  # fmt: skip
def test_a_write_is_refused(path: str, text: str, reason: str) -> None:
    sim = fresh()
    before = list(sim.tree())
    assert refused(sim, path, text) == reason
    assert list(sim.tree()) == before


def test_a_line_that_cannot_move_says_so_otherwise_since_6_12() -> None:
    sim = fresh(f'[kernel]\nrelease = "6.12"\n{BUSY}')
    assert refused(sim, "/proc/irq/11/smp_affinity", "1\n").endswith("Operation not permitted")


def test_writing_nothing_is_no_write() -> None:
    sim = fresh()
    sim.files.write("/proc/irq/eth0/smp_affinity", "")
    sim.files.write("/proc/interrupts", "")
    assert sim.read_file("/proc/irq/eth0/smp_affinity") == "f\n"


def test_an_affinity_that_was_written_is_shown() -> None:
    sim = fresh()
    sim.files.write("/proc/irq/eth0/smp_affinity", "c\n")
    sim.files.write("/proc/irq/default_smp_affinity", "5\n")
    shown = {name: sim.read_file(f"/proc/irq/eth0/{name}") for name in (
        "smp_affinity", "smp_affinity_list", "effective_affinity", "effective_affinity_list",
    )}  # fmt: skip
    assert list(shown.values()) == ["c\n", "2-3\n", "4\n", "2\n"]
    assert sim.read_file("/proc/irq/default_smp_affinity") == "5\n"
    sim.files.write("/proc/irq/eth0/smp_affinity_list", "1,3\n")
    assert sim.read_file("/proc/irq/eth0/smp_affinity") == "a\n"


def test_masks_of_many_cpus_have_commas() -> None:
    sim = fresh('[machine]\ncpus = 40\n[[device]]\nname = "a"\nspi = 1\n')
    assert sim.read_file("/proc/irq/a/smp_affinity") == "ff,ffffffff\n"
    assert sim.read_file("/proc/irq/a/affinity_hint") == "00,00000000\n"
    sim.files.write("/proc/irq/a/smp_affinity", "80,0\n")
    assert sim.read_file("/proc/irq/a/effective_affinity_list") == "39\n"


# -- tracefs -----------------------------------------------------------------------------


def test_set_event_switches_word_by_word() -> None:
    sim = fresh()
    path = f"{TRACING}/set_event"
    irq = sim.read_file(path)
    assert irq.splitlines()[-1] == "irq:irq_handler_entry"
    sim.files.write(path, "!irq:softirq_raise\n", append=True)
    assert sim.read_file(path) == irq.replace("irq:softirq_raise\n", "")
    assert sim.read_file(f"{TRACING}/events/irq/enable") == "X\n"
    assert sim.read_file(f"{TRACING}/events/irq/softirq_raise/enable") == "0\n"
    assert refused(sim, path, "irq:* sched:sched_switch bogus timer\n").startswith("write error")
    assert sim.read_file(path) == f"{irq}sched:sched_switch\n"
    sim.files.write(path, ":sched_switch\n")
    assert sim.read_file(path) == "sched:sched_switch\n"
    sim.files.write(path, "sched:\n")
    assert sim.read_file(f"{TRACING}/events/sched/enable") == "1\n"
    sim.files.write(path, "*:*\n")
    assert sim.read_file(path) == sim.read_file(f"{TRACING}/available_events")
    assert sim.read_file(f"{TRACING}/events/enable") == "1\n"
    sim.files.write(path, "\n")
    assert sim.read_file(path) == ""
    assert sim.read_file(f"{TRACING}/events/enable") == "0\n"


def test_events_are_those_of_the_release() -> None:
    old = fresh('[kernel]\nrelease = "4.19"\n').read_file(f"{TRACING}/available_events")
    new = fresh('[kernel]\nrelease = "6.12"\n').read_file(f"{TRACING}/available_events")
    assert "irq:tasklet_entry\n" not in old
    assert "irq:tasklet_entry\n" in new
    assert "ftrace:" not in new


def test_enable_switches_a_system_or_an_event() -> None:
    sim = fresh()
    sim.files.write(f"{TRACING}/events/irq/enable", "0\n")
    sim.files.write(f"{TRACING}/events/sched/sched_switch/enable", "1\n")
    assert sim.read_file(f"{TRACING}/set_event") == "sched:sched_switch\n"
    sim.files.write(f"{TRACING}/events/enable", "1\n")
    assert sim.read_file(f"{TRACING}/events/enable") == "1\n"


def test_options_are_switched_by_both_files() -> None:
    sim = fresh()
    sim.files.write(f"{TRACING}/trace_options", "noirq-info\n")
    assert sim.read_file(f"{TRACING}/options/irq-info") == "0\n"
    sim.files.write(f"{TRACING}/options/irq-info", "1\n")
    assert "\nirq-info\n" in sim.read_file(f"{TRACING}/trace_options")
    # What is as it should be already is no change.
    sim.files.write(f"{TRACING}/trace_options", "nohex\n")


# -- the real machines -------------------------------------------------------------------


def _captured(path: Path) -> dict[str, str]:
    """The files of a listing: `PATH: TEXT` or `PATH:` and lines behind it."""
    found: dict[str, str] = {}
    name = ""
    for line in path.read_text().splitlines():
        match = re.fullmatch(r"(/\S+):(?: (.*))?", line)
        if match is not None:
            name = match[1]
            found[name] = "" if match[2] is None else f"{match[2]}\n"
        elif line.endswith("/"):
            found[line] = ""
        else:
            found[name] += f"{line}\n"
    return found


def test_files_of_interrupts_are_those_of_a_real_machine(reference: Path) -> None:
    """The IPIs, the timers and two devices, without their counts."""
    place = reference / "captures" / "arm64-gicv3-4cpu-static"
    real = {**_captured(place / "proc_irq.txt"), **_captured(place / "sys_kernel_irq.txt")}
    ours = {f"/{path}": text for path, text in fresh(VIRT).tree() if "irq/" in path}
    compared = [path for path in ours if not path.endswith("per_cpu_count")]
    assert len(compared) > 150
    # The listing prints a line for an empty file, too.
    said = {path: real[path].replace(" \n", "\n") for path in compared}
    assert {path: ours[path] or ("" if path.endswith("/") else "\n") for path in compared} == said


MACHINES = pytest.mark.parametrize(
    ("capture", "scenario"),
    [
        ("arm64-gicv3-4cpu-static", ""),
        ("arm64-gicv2-4cpu-static", '[machine]\nirqchip = "gic-v2"\n'),
        ("arm64-6.12-gicv3-4cpu-static", '[kernel]\nrelease = "6.12"\n'),
        ("armhf-gicv2-4cpu-static", '[machine]\narch = "arm"\nirqchip = "gic-v2"\n'),
    ],
)


@MACHINES
def test_boot_interrupts_are_those_of_a_real_machine(
    reference: Path, capture: str, scenario: str
) -> None:
    """Actions, chips, numbers and triggers of the IPIs and the timers."""
    real = {}
    for line in (reference / "captures" / capture / "sys_kernel_irq.txt").read_text().splitlines():
        path, _, text = line.removeprefix("/sys/kernel/irq/").partition(":")
        real[path] = text.strip()
    for path, text in fresh(scenario).tree():
        name = path.removeprefix("sys/kernel/irq/")
        if name != path and not name.endswith("per_cpu_count"):
            # The listing left some empty files out.
            assert (name, text.strip()) == (name, real.get(name, ""))


@MACHINES
def test_tracefs_is_that_of_a_real_machine(
    reference: Path, capture: str, scenario: str
) -> None:
    place = reference / "captures" / capture
    sim = fresh(scenario)
    for ours, real in (("trace_options", "trace_options.default"), ("trace_clock", "trace_clock")):
        assert sim.read_file(f"{TRACING}/{ours}") == (place / real).read_text()
    known = (place / "available_events").read_text().splitlines()
    listed = sim.read_file(f"{TRACING}/available_events").splitlines()
    missing = [name for name in listed if name not in known]
    assert missing == []
    irqs = [name for name in known if name.startswith("irq:")]
    assert [name for name in listed if name.startswith("irq:")] == irqs
