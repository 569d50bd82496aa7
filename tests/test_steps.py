"""The step language: text to steps, and what is refused where."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.scenario.spec import AnyStep, Arg, Chance, If, Repeat, Step
from irqsim.scenario.steps import (
    CONTEXTS,
    NESTING_MAX,
    STEP_NAMED,
    STEPS,
    Scope,
    StepKind,
    parse_body,
    parse_step,
    steps_of,
)
from irqsim.units import Duration

SCOPE = Scope(
    {
        "tasklet": ("t", "the tasklet"),
        "napi": ("n",),
        "work": ("w",),
        "timer": ("tm",),
        "hrtimer": ("h",),
        "task": ("a task",),
        "device": ("eth0", "sh B"),
    },
    nr_cpus=4,
    tick_ns=1_000,
)
EXAMPLES: dict[str, tuple[str, Arg]] = {
    "time": ("2us..5us", Duration("uniform", 2_000, 5_000)),
    "cpu": ("3", 3),
    "cpus": ("0-1,3", (0, 1, 3)),
    "softirq": ("NET_RX", "NET_RX"),
    "irqreturn": ("IRQ_HANDLED", "IRQ_HANDLED"),
    "tasklet": ("the tasklet", "the tasklet"),
    "napi": ("n", "n"),
    "work": ("w", "w"),
    "timer": ("tm", "tm"),
    "hrtimer": ("h", "h"),
    "task": ("a task", "a task"),
    "device": ("sh B", "sh B"),
    "lock": ("L", "L"),
    "mutex": ("M", "M"),
    "queue": ("Q", "Q"),
    "words": ("two  words: [+]", "two  words: [+]"),
    "number": ("17", 17),
    "ipi": ("1", 1),
    "state": ("R+", "R+"),
    "targets": ("2+39000ns#17 3", "2+39000ns#17 3"),
}


def context_of(kind: StepKind) -> str:
    """A context in which the step is allowed."""
    contexts = (context for context in CONTEXTS if kind.is_allowed_in(context))
    return next(contexts, "handler")


def body_faults(value: object, context: str = "handler") -> list[tuple[tuple[str | int, ...], str]]:
    """What reading a body reports."""
    faults: list[tuple[tuple[str | int, ...], str]] = []
    parse_body(value, context, SCOPE, lambda path, message: faults.append((path, message)))
    return faults


@pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.verb)
def test_every_step_reads_its_arguments(kind: StepKind) -> None:
    examples = [EXAMPLES[param] for param in kind.params]
    text = " ".join((kind.verb, *(word for word, _ in examples)))
    step = parse_step(f"  {text} ", context_of(kind), SCOPE, 7, kind.is_of_replays())
    assert step == Step(kind.verb, tuple(arg for _, arg in examples))
    assert step.line == 7


@pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.verb)
def test_every_step_refuses_the_wrong_number_of_arguments(kind: StepKind) -> None:
    if kind.params:
        with pytest.raises(ValueError, match=r"takes (one|two) argument"):
            parse_step(kind.verb, context_of(kind), SCOPE, None, kind.is_of_replays())
    else:
        with pytest.raises(ValueError, match="takes no argument"):
            parse_step(f"{kind.verb} now", context_of(kind), SCOPE, None, kind.is_of_replays())


def test_verbs_are_unique() -> None:
    assert len(STEP_NAMED) == len(STEPS)


@pytest.mark.parametrize("text", ["2us", "~8us", "2us..5us", "8us ± 1us", "3"])
def test_bare_time_is_run(text: str) -> None:
    assert parse_step(text, "task", SCOPE) == parse_step(f"run {text}", "task", SCOPE)


@pytest.mark.parametrize(
    ("text", "context", "allowed"),
    [
        ("ack", "handler", True),
        ("ack", "thread", True),
        ("ack", "task", False),
        ("return IRQ_NONE", "handler", True),
        ("return IRQ_NONE", "thread", False),
        ("syscall 3us", "task", True),
        ("syscall 3us", "work", False),
        ("msleep 5ms", "handler", True),
        ("mutex_lock M", "tasklet", True),
        ("switch R", "task", False),
    ],
)
def test_steps_stand_only_where_they_can(text: str, context: str, allowed: bool) -> None:
    """Sleeping in atomic context is not refused: the kernel itself reports it."""
    if allowed:
        parse_step(text, context, SCOPE)
        return
    with pytest.raises(ValueError, match=f"not for {context} code"):
        parse_step(text, context, SCOPE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty string"),
        ("tasklet_shedule t", "unknown step 'tasklet_shedule'; did you mean 'tasklet_schedule'?"),
        ("raise_softirq net_rx", "did you mean 'NET_RX'?"),
        ("raise_softirq NETRX", "did you mean 'NET_RX'?"),
        ("return IRQ_HANDELD", "did you mean 'IRQ_HANDLED'?"),
        ("queue_work_on 4 w", "expected a CPU of this machine (0-3), got 4"),
        ("queue_work_on w w", "expected a CPU of this machine (0-3), got 'w'"),
        ("irq_set_affinity eth0 0-4", "expected a CPU of this machine (0-3), got 4"),
        ("irq_set_affinity eth0 x", "expected a CPU list"),
        ("disable_irq eht0", "unknown device 'eht0'; did you mean 'eth0'?"),
        ("run 2 parsecs", "expected a time such as '2us' or '1.5ms', got '2 parsecs'"),
        ("2uss", "expected a time"),
        ("run", "'run TIME' takes one argument"),
        ("run 2us\nack", "one line"),
    ],
)
def test_wrong_steps_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_step(text, "handler", SCOPE)
    assert message in str(caught.value)


def test_reference_to_an_empty_list_of_tables() -> None:
    with pytest.raises(ValueError, match=r"the scenario has no \[\[tasklet\]\]"):
        parse_step("tasklet_schedule t", "handler", Scope({}, 4, 1))


def test_control_steps() -> None:
    body = parse_body(
        [
            {"repeat": 3, "do": ["run 2us"]},
            {"chance": Decimal("0.1"), "do": ["ack"], "else": ["return IRQ_NONE"]},
            {"if": "in_interrupt", "do": [{"repeat": 0, "do": []}]},
        ],
        "handler",
        SCOPE,
        lambda path, message: pytest.fail(f"{path}: {message}"),
        line_of=len,
    )
    assert body == (
        Repeat(3, (Step("run", (Duration("fixed", 2_000),)),)),
        Chance(100_000, (Step("ack"),), (Step("return", ("IRQ_NONE",)),)),
        If("in_interrupt", (Repeat(0, ()),)),
    )
    assert [step.verb for step in steps_of(body)] == ["run", "ack", "return"]
    assert body[0].line == 1


@pytest.mark.parametrize(
    ("chance", "ppm"),
    [(0, 0), (1, 10**6), ("0.5", 500_000), ("0.0000001", 1), ("1e-99", 1), ("0.9999999", 10**6)],
)
def test_chance_is_in_parts_per_million(chance: int | str, ppm: int) -> None:
    """A chance that is not zero never becomes zero."""
    value = Decimal(chance) if isinstance(chance, str) else chance
    body = parse_body([{"chance": value, "do": []}], "task", SCOPE, lambda path, message: None)
    assert body == (Chance(ppm, ()),)


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ("run 2us", (), "expected a list of steps, got 'run 2us'"),
        ([7], (0,), "expected a step such as 'run 2us', got 7"),
        (["ack", True], (1,), "got true"),
        ([{}], (0,), "'repeat', 'chance', 'if' or 'replay', got none"),
        ([{"do": []}], (0,), "got 'do'"),
        ([{"repeat": 1, "if": "in_task", "do": []}], (0,), "got 'repeat' and 'if'"),
        ([{"repeat": 2}], (0,), "needs 'do'"),
        ([{"repeat": -1, "do": []}], (0, "repeat"), "expected a count"),
        ([{"repeat": True, "do": []}], (0, "repeat"), "expected a count"),
        ([{"repeat": 2, "do": [], "else": []}], (0, "else"), "unknown key"),
        ([{"chance": 2, "do": []}], (0, "chance"), "between 0.0 and 1.0"),
        ([{"chance": Decimal("nan"), "do": []}], (0, "chance"), "between 0.0 and 1.0"),
        ([{"chance": "often", "do": []}], (0, "chance"), "between 0.0 and 1.0"),
        ([{"if": "in_hardriq", "do": []}], (0, "if"), "did you mean 'in_hardirq'?"),
        ([{"if": 3, "do": []}], (0, "if"), "expected a test"),
        ([{"if": "in_task", "do": [], "els": []}], (0, "els"), "did you mean 'else'?"),
        ([{"repeat": 2, "do": ["ack", "akc"]}], (0, "do", 1), "unknown step 'akc'"),
        ([{"if": "in_task", "do": [], "else": 3}], (0, "else"), "expected a list of steps"),
    ],
)
def test_wrong_bodies_say_where_and_what(
    value: object, path: tuple[str | int, ...], message: str
) -> None:
    assert [where for where, text in body_faults(value) if message in text] == [path]


def test_nesting_has_a_limit() -> None:
    body: list[object] = ["ack"]
    for _ in range(NESTING_MAX + 2):
        body = [{"repeat": 1, "do": body}]
    assert "nested" in body_faults(body)[0][1]


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.decimals(),
        st.text(max_size=12),
        st.sampled_from([f"{kind.verb} t" for kind in STEPS]),
        st.sampled_from(sorted(STEP_NAMED)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(st.sampled_from(("repeat", "chance", "if", "do", "else")), st.text()),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@given(VALUES, st.sampled_from(CONTEXTS))
def test_no_value_breaks_the_reader(value: object, context: str) -> None:
    """It comes back as steps, or with faults, and whatever is read is of the declared kinds."""
    faults: list[str] = []
    body = parse_body(value, context, SCOPE, lambda path, message: faults.append(message))

    def check(item: AnyStep) -> None:
        if isinstance(item, Step):
            assert STEP_NAMED[item.verb].is_allowed_in(context)
            assert len(item.args) == len(STEP_NAMED[item.verb].params)
            return
        for inner in item.body:
            check(inner)

    for item in body:
        check(item)
    if isinstance(value, list) and not faults:
        assert len(body) == len(value)
