"""Narrations that are kept beside the shipped scenarios, in both languages.

    python -m tests.narrations --check
    python -m tests.narrations --bless
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from irqsim.analysis.words import LANGUAGES
from tests import golden
from tests.command_line import irqsim

KEPT: Final[dict[str, tuple[str, ...]]] = {
    "touchscreen": ("--irq", "touchscreen", "--nth", "2"),
    "threaded-oneshot": (),
    "left-to-ksoftirqd": (),
}
"""By scenario: what is told of it."""

USAGE: Final = "usage: python -m tests.narrations (--check | --bless)"


def place_of(name: str, language: str) -> Path:
    """Where a narration is kept."""
    return golden.TRACES / name / f"{golden.NARRATION}{language}"


def printed(name: str, language: str) -> str:
    """What is told now."""
    scenario = str(golden.scenario_of(name))
    done = irqsim("narrate", "-q", "--lang", language, *KEPT[name], scenario)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def bless(name: str, language: str) -> None:
    """Keep it."""
    place_of(name, language).write_bytes(printed(name, language).encode())


def _differences() -> Iterator[str]:
    for name in KEPT:
        for language in LANGUAGES:
            place = place_of(name, language)
            kept = {place.name: place.read_bytes().decode()} if place.exists() else {}
            yield golden.difference(kept, {place.name: printed(name, language)})


def main(arguments: Sequence[str]) -> int:
    """Compare or rewrite; returns the exit status."""
    if list(arguments) not in (["--check"], ["--bless"]):
        sys.stderr.write(f"{USAGE}\n")
        return 2
    said = "".join(_differences())
    sys.stdout.write(said)
    if list(arguments) == ["--check"]:
        return int(bool(said))
    for name in KEPT:
        for language in LANGUAGES:
            bless(name, language)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
