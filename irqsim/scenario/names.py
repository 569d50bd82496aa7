"""The nearest valid name, for messages about one that is not valid."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

CHOICES_SHOWN_MAX: Final = 12
CANDIDATES_MAX: Final = 300
"""More candidates than this are not compared: a message is not worth seconds."""


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The valid name that was most likely meant, if one is near enough."""
    candidates = list(choices)
    for choice in candidates:
        if choice.casefold() == name.casefold():
            return choice
    if len(name) > 100 or len(candidates) > CANDIDATES_MAX:
        return None
    folded = {choice.casefold(): choice for choice in reversed(candidates)}
    found = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def hint(name: str, choices: Iterable[str]) -> str:
    """The end of a message about a name: the one that was meant, or all if they are few."""
    candidates = list(dict.fromkeys(choices))
    meant = nearest(name, candidates)
    if meant is not None:
        return f"; did you mean {meant!r}?"
    if 0 < len(candidates) <= CHOICES_SHOWN_MAX:
        return f"; expected {one_of(candidates)}"
    return ""


def one_of(choices: Iterable[str]) -> str:
    """The names as a sentence has them: ``a``, ``a or b``, ``one of a, b, c``."""
    candidates = list(choices)
    if len(candidates) <= 2:
        return " or ".join(candidates)
    return f"one of {', '.join(candidates)}"


def shown(value: object) -> str:
    """A value as a message quotes it: its kind if it has parts, whole unless very long."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
