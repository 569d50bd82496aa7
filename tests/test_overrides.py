"""`--set KEY=VALUE`: what a key leads to, and what a value is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.errors import ScenarioError
from irqsim.scenario.reader import read_text
from irqsim.scenario.spec import Listed, Periodic, Step
from irqsim.units import Duration

TEXT = """\
[[device]]
name = "eth0"
spi = 1
arrivals = { every = "1ms", count = 3 }
handler = ["run 4us", { repeat = 2, do = ["run 1us"] }]

[[device]]
name = "3f00b880.mailbox"
spi = 2

[[device]]
name = "sh B"
spi = 3

[[at]]
time = "1ms"
do = []

[kernel]
hz = 100
"""


def faults_of(*overrides: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        read_text(TEXT, "a.toml", overrides)
    return str(caught.value)


def test_values_of_tables() -> None:
    spec = read_text(TEXT, "a", ["run.seed=3", "kernel.hz = 1000", "machine.cpus=2"])
    assert (spec.run.seed, spec.kernel.hz, spec.machine.cpus) == (3, 1000, 2)
    assert spec.kernel.netdev_budget_usecs == 2_000


def test_bare_words_are_strings() -> None:
    spec = read_text(
        TEXT,
        "a",
        [
            "run.duration=5ms",
            "kernel.preempt=full",
            "kernel.release=6.12",
            "kernel.irqaffinity=0-2",
            "device.eth0.affinity=0,2",
            "device.sh B.affinity=3",
            'device."sh B".name="C D"',
        ],
    )
    assert spec.run.duration == 5_000_000
    assert (spec.kernel.preempt, spec.kernel.release) == ("full", "6.12")
    assert spec.kernel.irqaffinity == (0, 1, 2)
    assert spec.devices[0].affinity == (0, 2)
    assert (spec.devices[2].name, spec.devices[2].affinity) == ("C D", (3,))


def test_members_are_named_or_counted() -> None:
    spec = read_text(
        TEXT,
        "a",
        [
            "device.eth0.affinity=[1]",
            "device.3f00b880.mailbox.spi=9",
            "device[2].priority=0x20",
            'at[0].do=["cat /proc/stat"]',
            "device.eth0.arrivals.every=2ms",
            "device.eth0.handler[0]=run 9us",
            "device.eth0.handler[1].do[0]=run 7us",
        ],
    )
    eth0, mailbox, shared = spec.devices
    assert (eth0.affinity, mailbox.spi, shared.priority) == ((1,), 9, 0x20)
    assert eth0.arrivals == Periodic(2_000_000, count=3)
    assert eth0.handler is not None
    assert eth0.handler[0] == Step("run", (Duration("fixed", 9_000),))
    assert spec.ats[0].commands[0].path == "/proc/stat"


def test_later_overrides_win() -> None:
    spec = read_text(TEXT, "a", ["run.seed=3", "run.seed=4", "device.eth0.arrivals=[1]"])
    assert spec.run.seed == 4
    assert spec.devices[0].arrivals == Listed((1_000,))


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("run.seed", "--set: run.seed: expected KEY=VALUE such as 'run.seed=3'"),
        ("run.seed=", "--set: run.seed: expected KEY=VALUE"),
        ("=3", "--set: expected KEY=VALUE"),
        (".seed=3", "--set: .seed: expected KEY=VALUE"),
        ("run..seed=3", "--set: run..seed: expected KEY=VALUE"),
        ("run.sed=3", "--set: run.sed: unknown key; did you mean 'seed'?"),
        ("rum.seed=3", "--set: rum: unknown table; did you mean 'run'?"),
        ("kernel.hz.x=3", "--set: kernel.hz.x: kernel.hz has no parts to set"),
        ("device.eth1.spi=3", "--set: device.eth1.spi: unknown device 'eth1'; did you mean 'eth0"),
        ("device[7].spi=3", "--set: device[7].spi: device has 3 members, there is no [7]"),
        ("task.t.nice=3", "--set: task.t.nice: the scenario has no [[task]]"),
        ("at.x.time=1ms", "--set: at.x.time: unknown at 'x'; its members have no names"),
        ("device.eth0.spi=x", "--set: device.eth0.spi: expected an SPI, got 'x'"),
        ("device.eth0.affinity=[1", "--set: device.eth0.affinity: not a TOML value: '[1'"),
        ('device.eth0.handler=["rum 2us"]', "--set: device.eth0.handler[0]: unknown step 'rum'"),
        ("run.seed=1\nb = 2", "--set: run.seed: expected a seed, got '1\\nb = 2'"),
    ],
)
def test_faults_are_those_of_the_override(override: str, fault: str) -> None:
    assert fault in faults_of(override)


def test_faults_of_the_file_and_of_overrides_come_together() -> None:
    with pytest.raises(ScenarioError) as caught:
        read_text("[run]\nsed = 1\n", "a.toml", ["run.tick=0", "x=1"])
    assert [fault.file for fault in caught.value.faults] == ["a.toml", "--set", "--set"]


def test_run_with_another_seed_and_duration() -> None:
    spec = read_text(TEXT).with_run(seed=9, duration=1_000)
    assert (spec.run.seed, spec.run.duration) == (9, 1_000)
    assert spec == read_text(TEXT, "a", ["run.seed=9", "run.duration=1us"])
    assert spec.with_run() == spec


KEYS = st.one_of(
    st.text(max_size=12),
    st.lists(
        st.sampled_from(("device", "run", ".", "[0]", "[9]", "eth0", '"', "handler", "seed", " ")),
        max_size=6,
    ).map("".join),
)


@given(KEYS, st.text(max_size=12))
def test_no_override_breaks_the_reader(key: str, value: str) -> None:
    try:
        read_text(TEXT, "a.toml", [f"{key}={value}"])
    except ScenarioError as error:
        assert error.faults
