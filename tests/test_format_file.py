"""The format files that we generate are those of real kernels, but for how constants are spelt."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from irqsim.events import TRACEPOINT_BY_NAME, TRACEPOINTS, UNKNOWN
from irqsim.trace.dat.format_file import EXPRESSIONS, event_id, format_file
from irqsim.trace.entry import Entries
from irqsim.trace.kinds import KINDS

RELEASES = {
    "arm64-gicv3-4cpu-static": ("6.1", 64),
    "arm64-6.12-gicv3-4cpu-static": ("6.12", 64),
    "arm64-rt-gicv3-4cpu-static": ("6.1-rt", 64),
    "armhf-gicv2-4cpu-static": ("6.1", 32),
}


def test_every_kind_of_value_has_its_expression() -> None:
    assert EXPRESSIONS.keys() == KINDS.keys()


def test_every_event_has_a_number_of_its_own() -> None:
    numbers = [event_id(each) for each in TRACEPOINTS]
    assert len(set(numbers)) == len(numbers)


def fields_of(text: str) -> list[str]:
    return re.findall(r"\tfield:(.*);\toffset:(\d+);\tsize:(\d+);\tsigned:(\d);", text)


@pytest.mark.parametrize("folder", RELEASES)
def test_fields_lie_where_real_kernels_have_them(folder: str, reference: Path) -> None:
    entries = Entries(*RELEASES[folder])
    compared = 0
    for path in sorted((reference / "captures" / folder / "format").iterdir()):
        system, _, name = path.name.partition(".")
        tracepoint = TRACEPOINT_BY_NAME.get(name)
        if tracepoint is None or tracepoint is UNKNOWN or system == "ftrace":
            continue
        ours = format_file(tracepoint, entries)
        assert fields_of(ours) == fields_of(path.read_text()), path.name
        compared += 1
    assert compared > 20


@pytest.mark.parametrize("folder", RELEASES)
def test_the_texts_are_printed_by_the_same_format(folder: str, reference: Path) -> None:
    """The string of conversions; the expressions behind it spell their constants otherwise."""
    entries = Entries(*RELEASES[folder])
    for path in sorted((reference / "captures" / folder / "format").iterdir()):
        system, _, name = path.name.partition(".")
        tracepoint = TRACEPOINT_BY_NAME.get(name)
        if tracepoint is None or tracepoint is UNKNOWN or system == "ftrace":
            continue
        pattern = re.compile(r'^print fmt: "(.*?)"(?:, |$)', re.MULTILINE)
        ours, theirs = pattern.search(format_file(tracepoint, entries)), pattern.search(
            path.read_text()
        )
        assert ours is not None
        assert theirs is not None
        assert ours[1] == theirs[1], path.name
