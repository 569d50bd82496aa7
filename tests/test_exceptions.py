"""How the processor comes to a handler: hw/exception.py, and the lines of the option exceptions."""

from __future__ import annotations

import re

import pytest

from irqsim.hw.exception import take_irq_armv7, take_irq_armv8
from tests.kernel_scenarios import device, kernel, lasting, run, table, task

EXCEPTIONS = 'trace.options=["exceptions"]'
NO_WORK = lasting("4ms")


def _lines(toml: str, *overrides: str) -> list[dict[str, str]]:
    """The lines of the exceptions, by key; `what` is the word before the keys."""
    found = []
    for line in run(toml, EXCEPTIONS, *overrides).lines:
        words = line.text.removeprefix("irqsim: ").split()
        if words and words[0].startswith("exception_"):
            pairs = dict(word.split("=", 1) for word in words[1:])
            found.append({"what": words[0], "letters": line.letters, **pairs})
    return found


def _machine(arch: str, release: str = "6.1") -> str:
    irqchip = "gic-v2" if arch == "arm" else "gic-v3"
    return table("machine", arch=arch, cpus=1, irqchip=irqchip) + kernel(release=release)


def test_the_vector_says_where_an_irq_comes_from() -> None:
    """Source: ARM DDI 0406 B1.8.1; ARM DDI 0487 D1.10.2."""
    assert take_irq_armv7(False).vector == take_irq_armv7(True).vector == "0xffff0018"
    assert take_irq_armv8(False).vector == "VBAR_EL1+0x280"
    assert take_irq_armv8(True).vector == "VBAR_EL1+0x480"
    assert take_irq_armv8(True, is_aarch32=True).vector == "VBAR_EL1+0x680"


@pytest.mark.parametrize(
    ("arch", "release", "svc", "usr"),
    [
        (
            "arm", "6.1",
            ("SVC", "vector_irq,__irq_svc", "80"), ("USR", "vector_irq,__irq_usr", "72"),
        ),
        ("arm64", "6.1", ("EL1h", "el1h_64_irq", "336"), ("EL0t", "el0t_64_irq", "336")),
        ("arm64", "4.19", ("EL1h", "el1_irq", "320"), ("EL0t", "el0_irq", "320")),
    ],
)
def test_the_way_in_is_that_of_the_interrupted_mode(
    arch: str, release: str, svc: tuple[str, ...], usr: tuple[str, ...]
) -> None:
    """A task computes, then is in a system call; before it the CPU idles.

    Source: entry-armv.S: vector_stub; entry.S: kernel_ventry.
    """
    lines = _lines(
        NO_WORK
        + _machine(arch, release)
        + device("a", ["1ms", "2200us", "2700us"], ["run 5us"])
        + task("t", ["run 500us", "syscall 900us"], start="2ms")
    )
    entries = [each for each in lines if each["what"] == "exception_entry"]
    seen = {
        (each["return"], each["from"], each["code"], each["saved"]) for each in entries
    }
    assert seen == {("idle_loop", *svc), ("user_text", *usr), ("kernel_text", *svc)}


@pytest.mark.parametrize(
    ("arch", "release", "stacks"),
    [
        # frame and stack of: an interrupt of idle, and one of the softirq that it ran.
        ("arm", "4.19", [("task", "task"), ("task", "task")]),
        ("arm", "6.1", [("task", "irq"), ("irq", "irq")]),
        ("arm64", "5.10", [("task", "irq"), ("irq", "irq")]),
        ("arm64", "6.12", [("task", "irq"), ("irq", "irq")]),
    ],
)
def test_interrupts_and_softirqs_are_on_the_stacks_of_their_release(
    arch: str, release: str, stacks: list[tuple[str, str]]
) -> None:
    """Source: IRQ stacks of arm since 5.18; irq_exit() within them on arm64 up to 5.15."""
    lines = _lines(
        NO_WORK
        + _machine(arch, release)
        + device("a", ["1ms", "1050us"], ["raise_softirq TASKLET"])
        + "[softirq]\nTASKLET = ['run 100us']\n"
    )
    entries = [each for each in lines if each["what"] == "exception_entry"]
    assert [(each["frame"], each["stack"]) for each in entries[:2]] == stacks


@pytest.mark.parametrize(
    ("release", "frame"), [("5.10", "task"), ("6.1", "irq")]
)
def test_a_softirq_that_a_task_calls_is_on_a_stack_of_its_own_since_6_0(
    release: str, frame: str
) -> None:
    """local_bh_enable() runs it.  Source: kernel/softirq.c: do_softirq_own_stack."""
    lines = _lines(
        NO_WORK
        + _machine("arm64", release)
        + device("a", ["2100us"], ["run 1us"])
        + "[softirq]\nTASKLET = ['run 500us']\n"
        + task("t", ["local_bh_disable", "raise_softirq TASKLET", "local_bh_enable"], start="2ms")
    )
    entries = [each for each in lines if each["what"] == "exception_entry"]
    assert [each["frame"] for each in entries if "s" in each["letters"]] == [frame]


def test_each_exception_that_is_entered_returns_to_where_it_came_from() -> None:
    """They nest; and every line of both kinds has interrupts off."""
    lines = _lines(
        lasting("20ms")
        + _machine("arm64")
        + device("a", {"every": "137us"}, ["run 20us", "raise_softirq TASKLET", "wake_up Q"])
        + "[softirq]\nTASKLET = ['run 60us']\n"
        + task("t", ["wait_event Q", "run 30us"], loop=True, policy="fifo", cpu=0)
        + task("u", ["run 100us"], loop=True, cpu=0)
    )
    by_depth: list[dict[str, str]] = []
    assert len(lines) > 200
    for each in lines:
        assert each["letters"][0] in "dD"
        if each["what"] == "exception_entry":
            by_depth.append(each)
            continue
        # A task that gave way returns later: to what it was taken from all the same.
        matching = [
            entry
            for entry in by_depth
            if (entry["from"], entry["return"], entry["frame"], entry["saved"])
            == (each["to"], each["return"], each["frame"], each["restored"])
        ]
        assert matching, each
        by_depth.remove(matching[-1])
    assert len(by_depth) <= 3


def test_nothing_but_the_lines_changes_with_them() -> None:
    toml = (
        NO_WORK
        + _machine("arm64")
        + device("a", ["1ms", "1050us"], ["raise_softirq TASKLET"])
        + "[softirq]\nTASKLET = ['run 100us']\n"
    )
    def told(line: object) -> bool:
        return "exception_" not in str(line)

    assert [each for each in run(toml, EXCEPTIONS).lines if told(each)] == run(toml).lines


def test_the_option_is_switched_like_a_real_one_and_listed_while_it_is_on() -> None:
    options = "/sys/kernel/tracing/trace_options"
    toml = NO_WORK + _machine("arm64") + device("a", ["1ms", "2ms", "3ms"], ["run 1us"])
    toml += table("[at]", time="1500us", do=[f"echo exceptions > {options}", f"cat {options}"])
    toml += table("[at]", time="2500us", do=[f"echo noexceptions > {options}", f"cat {options}"])
    outcome = run(toml)
    times = [line.time_us for line in outcome.lines if "exception_entry" in line.text]
    assert times == [2000]
    on, off = (text for _, _, text in outcome.simulation.snapshots)
    assert re.search(r"^exceptions$", on, re.MULTILINE)
    assert "exceptions" not in off
