"""Call chains: what `stacktrace` prints, against what real kernels print."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from irqsim.analysis.check import check
from irqsim.events import KERNEL_STACK
from tests.simulations import at, simulate

Chains = dict[str, set[tuple[str, ...]]]

EVENTS = "/sys/kernel/tracing/events"

# An SPI at an idle CPU 0, function call IPIs to idle CPUs, ticks that raise softirqs, and a
# task in user mode.
SCENARIO = """\
[machine]
arch = "{arch}"
irqchip = "{irqchip}"
[trace]
events = ["irq", "ipi:ipi_entry", "ipi:ipi_exit"]
options = {options}
[run]
duration = "60ms"
[[device]]
name = "virtio0"
spi = 40
arrivals = ["1ms", "9500us", "23ms"]
handler = ["run 3us", "smp_call_function 2 1us"]
[[timer]]
name = "platform"
expires = "8ms"
period = "8ms"
run = ["run 1us"]
[[task]]
name = "sh"
cpu = 3
run = ["run 2ms", "msleep 10ms", "run 6ms", "msleep 10ms", "run 6ms"]
"""

_LINE = re.compile(r"\s+\S.*-\d+\s+\[\d+\] \S+\s+[\d.]+: (.*)")


def captured(path: Path, *, is_function: bool = False) -> Chains:
    """The chains of a capture, by what is above them."""
    found: Chains = {}
    key = ""
    chain: list[str] | None = None
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith(" => ") and chain is not None:
            chain.append(line[4:])
            continue
        if chain:
            found.setdefault(key, set()).add(tuple(chain))
        chain = None
        match = _LINE.match(line)
        if match is None:
            continue
        if match[1] == "<stack trace>":
            chain = []
        else:
            key = match[1].split(" <-")[0] if is_function else _key(match[1])
    return found


def _key(text: str) -> str:
    """An event without the numbers of its interrupt."""
    return re.sub(r"irq=\d+", "irq=N", re.sub(r"name=virtio\d+", "name=virtio", text))


def simulated(arch: str, irqchip: str, options: str, more: str = "") -> Chains:
    found: Chains = {}
    scenario = SCENARIO.format(arch=arch, irqchip=irqchip, options=options)
    key = ""
    for line in re.sub(r"\n => ", "\x00", simulate(scenario + more).text()).splitlines():
        text, *chain = line.split("\x00")
        match = _LINE.match(text)
        assert match is not None, text
        if match[1] == "<stack trace>":
            found.setdefault(key, set()).add(tuple(chain))
        else:
            key = _key(match[1])
    return found


def tails(chains: Iterable[set[tuple[str, ...]]], function: str) -> set[tuple[str, ...]]:
    """The chains from a function on, of those that have it."""
    return {
        chain[chain.index(function) :] for each in chains for chain in each if function in chain
    }


@pytest.mark.parametrize(
    ("arch", "irqchip", "name"),
    [
        ("arm64", "gic-v3", "arm64-gicv3-4cpu-event-stacktrace"),
        ("arm", "gic-v2", "armhf-gicv2-4cpu-event-stacktrace"),
    ],
)
def test_each_chain_is_one_that_a_real_kernel_prints(
    reference: Path, arch: str, irqchip: str, name: str
) -> None:
    """For the same event of the same source, the same functions to the bottom of the stack."""
    real = captured(reference / "captures" / name / "trace")
    ours = simulated(arch, irqchip, '["stacktrace"]')
    vector = {"arm64": "el0t_64_irq", "arm": "__irq_usr"}[arch]
    wrong = {
        key: strange
        for key, chains in ours.items()
        if key in real
        for chain in chains
        if vector not in chain and (strange := {chain} - real[key])
    }
    assert wrong == {}
    kinds = ("irq_handler_entry", "irq_handler_exit", "softirq_raise", "softirq_entry")
    for kind in kinds:
        assert [key for key in ours if key in real and key.startswith(kind)], kind
    assert {key for key in ours if key.startswith(("irq_handler", "ipi_"))} <= set(real)


def test_a_trigger_shows_its_probe_as_well(reference: Path) -> None:
    """The stack of a trigger begins two functions further in; also from user mode."""
    real = captured(reference / "captures/arm64-gicv3-4cpu-event-stacktrace-trigger/trace")
    path = f"{EVENTS}/irq/irq_handler_entry/trigger"
    ours = simulated("arm64", "gic-v3", "[]", at("1us", f"echo stacktrace > {path}"))
    assert set(ours) == set(real)
    assert {key: chains - real[key] for key, chains in ours.items() if key in real} == {
        key: set() for key in ours
    }
    ticks = ours["irq_handler_entry: irq=N name=arch_timer"]
    assert any(chain[-1] == "el0t_64_irq" for chain in ticks)


def test_the_functions_on_the_way_are_called_by_those_that_call_them_really(
    reference: Path,
) -> None:
    """A function's callers, as the function tracer of a real kernel has them."""
    real = captured(reference / "captures/arm64-gicv3-4cpu-function-stack/trace", is_function=True)
    ours = simulated("arm64", "gic-v3", '["stacktrace"]').values()
    functions = (
        "gic_handle_irq", "handle_fasteoi_irq", "handle_irq_event", "__handle_irq_event_percpu",
        "handle_percpu_devid_irq", "__do_softirq", "handle_softirqs", "raise_softirq",
    )  # fmt: skip
    for function in functions:
        found = {chain for chain in tails(ours, function) if chain[-1] != "el0t_64_irq"}
        assert found, function
        assert found <= real[function], function


TRIGGER = f"{EVENTS}/irq/irq_handler_entry/trigger"


def test_a_trigger_counts_down_and_says_so() -> None:
    """The file says how often more; what is spent stays set and does nothing."""
    commands = at("100us", f"echo stacktrace:2 > {TRIGGER}", f"cat {TRIGGER}")
    outcome = simulate(
        SCENARIO.format(arch="arm64", irqchip="gic-v3", options="[]")
        + commands
        + at("50ms", f"cat {TRIGGER}", f"echo !stacktrace >> {TRIGGER}", f"cat {TRIGGER}")
    )
    said = [text for _, _, text in outcome.sim.snapshots]
    assert said[:2] == ["stacktrace:count=2\n", "stacktrace:count=0\n"]
    assert said[2].startswith("# Available triggers:\n# traceon traceoff ")
    assert outcome.names().count("kernel_stack") == 2
    assert outcome.console == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stacktrace:x", "write error: Invalid argument"),
        ("nonsense", "write error: Invalid argument"),
        ("traceoff", "the trigger traceoff is not supported yet"),
    ],
)
def test_a_trigger_that_is_none_is_refused_as_a_shell_refuses_it(text: str, words: str) -> None:
    outcome = simulate(
        SCENARIO.format(arch="arm64", irqchip="gic-v3", options="[]")
        + at("1ms", f"echo {text} > {TRIGGER}")
    )
    assert outcome.console == [f"irqsim: at 0.001000: echo {text} > {TRIGGER}: {words}"]


def test_a_trigger_is_there_only_once() -> None:
    outcome = simulate(
        SCENARIO.format(arch="arm64", irqchip="gic-v3", options="[]")
        + at("1ms", f"echo stacktrace > {TRIGGER}", f"echo stacktrace:3 >> {TRIGGER}")
    )
    assert [line.rsplit(": ", 1)[1] for line in outcome.console] == ["File exists"]


@pytest.mark.parametrize("options", ['["stacktrace"]', "[]"])
def test_the_rest_of_the_log_is_the_same(options: str) -> None:
    """Walking the stack takes no time and changes nothing."""
    plain = simulate(SCENARIO.format(arch="arm64", irqchip="gic-v3", options="[]"))
    traced = simulate(
        SCENARIO.format(arch="arm64", irqchip="gic-v3", options=options)
        + at("1us", f"echo stacktrace > {TRIGGER}")
    )
    rest = [each for each in traced.records if each[2].tracepoint is not KERNEL_STACK]
    assert [(time, what.values) for time, _, what in rest] == [
        (time, what.values) for time, _, what in plain.records
    ]


def test_two_levels_lie_on_each_other() -> None:
    """An interrupt in a softirq finds itself on the IRQ stack already, as a real one does."""
    nested = """
[run]
duration = "3ms"
[trace]
events = ["irq_handler_entry"]
options = ["stacktrace"]
[[device]]
name = "a"
spi = 40
arrivals = ["1ms", "1050us"]
handler = ["tasklet_schedule t"]
[[tasklet]]
name = "t"
run = ["run 200us"]
"""
    chains = [
        str(what["caller"]).split("\n")
        for _, _, what in simulate(nested).records
        if what.tracepoint is KERNEL_STACK
    ]
    inner = chains[1]
    assert inner.count("el1h_64_irq") == 2
    assert inner[inner.index("gic_handle_irq") + 1] == "do_interrupt_handler"
    assert inner[inner.index("el1h_64_irq") + 1 :][:4] == [
        "t", "tasklet_action_common.constprop.0", "tasklet_action", "handle_softirqs",
    ]  # fmt: skip


def test_a_line_behind_a_chained_controller_has_both_on_its_way() -> None:
    """Source: a Raspberry Pi's 4.14 logged: bcm2836_arm_irqchip_handle_irq, __handle_domain_irq,
    generic_handle_irq, bcm2836_chained_handle_irq, generic_handle_irq, handle_level_irq,
    handle_irq_event, handle_irq_event_percpu, __handle_irq_event_percpu."""
    text = """
[machine]
irqchip = "bcm2836"
arch = "arm"
[kernel]
release = "4.19"
[run]
duration = "2ms"
[trace]
events = ["softirq_raise"]
options = ["stacktrace"]
[[device]]
name = "usb"
bank = [1, 9]
arrivals = ["1ms"]
handler = ["raise_softirq BLOCK"]
"""
    chains = [
        str(what["caller"]).split("\n")
        for _, _, what in simulate(text).records
        if what.tracepoint is KERNEL_STACK and "usb_irq" in str(what["caller"])
    ]
    vector = chains[0].index("__irq_svc")
    assert chains[0][vector::-1] == [
        "__irq_svc", "bcm2836_arm_irqchip_handle_irq", "__handle_domain_irq",
        "generic_handle_irq", "bcm2836_chained_handle_irq", "generic_handle_irq",
        "handle_level_irq", "handle_irq_event", "handle_irq_event_percpu",
        "__handle_irq_event_percpu", "usb_irq",
    ]  # fmt: skip


def test_a_log_with_stack_traces_keeps_what_every_log_keeps() -> None:
    """Also behind sched_switch, where the stack is still that of the task that goes."""
    scenario = SCENARIO.format(arch="arm64", irqchip="gic-v3", options='["stacktrace"]')
    scenario = scenario.replace('events = ["irq"', 'events = ["irq", "sched", "timer"')
    outcome = simulate(scenario)
    assert {"sched_switch", "kernel_stack"} <= set(outcome.names())
    assert check(outcome.records) == []
