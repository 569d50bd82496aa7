"""Inputs made to break the reader: only ScenarioError may come out of it."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from irqsim.errors import ScenarioError
from irqsim.scenario.reader import read_text
from irqsim.scenario.spec import ScenarioSpec
from tests.scenarios import FULL

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
