"""Reading scenarios: the whole language, where it comes from, and the order of its faults."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from irqsim.errors import ScenarioError
from irqsim.scenario.later import Later
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
from tests.scenarios import FULL, TINY, device, fault_of, faults_of


@pytest.fixture
def whole_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is refused for being not supported yet."""
    monkeypatch.setattr("irqsim.scenario.later.LATER", ())


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


def test_features_yet_to_come_are_refused_and_never_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a key, a key with some values, an element of a list, a step, or a command."""
    rows = (
        Later("gpio", "controllers"),
        Later("run.seed", "seeds"),
        Later("kernel.preempt", "preemption", ("full", "rt")),
        Later("machine.irqchip", "the other chip", ("gic-v2",)),
        Later("trace.options", "latency", ("latency-format",)),
        Later("step return", "returning"),
        Later("step tasklet_schedule", "tasklets"),
        Later("command devmem", "registers"),
    )
    monkeypatch.setattr("irqsim.scenario.later.LATER", rows)
    with pytest.raises(ScenarioError) as caught:
        read_text(FULL, "a.toml")
    assert str(caught.value).splitlines() == [
        "a.toml:3: run.seed: not supported yet: seeds",
        "a.toml:15: kernel.preempt: not supported yet: preemption",
        "a.toml:43: device[0].handler[1].else[0]: not supported yet: returning",
        "a.toml:44: device[0].handler[2]: not supported yet: returning",
        "a.toml:92: gpio: not supported yet: controllers",
        "a.toml:104: tasklet[0].run[0].do[0]: not supported yet: tasklets",
        "a.toml:142: at[0].do[2]: not supported yet: registers",
        "a.toml:147: trace.options[1]: not supported yet: latency",
    ]


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
        ("a = " + "[" * 20_000, "not TOML|nested more than"),
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


def test_deep_nesting_is_refused() -> None:
    for text in ("a = " + "[" * 500 + "]" * 500, "a" + ".a" * 500 + " = 1"):
        assert fault_of(text) == "a.toml: nested more than 200 deep"
    assert "nested more than" in fault_of("", f"run.seed={'[' * 150}{']' * 150}")
    assert "a key of more than" in fault_of("", f"run{'.x' * 500}=1")


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
