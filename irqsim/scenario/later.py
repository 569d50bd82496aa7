"""What the language has and the simulation does not have yet: refused, never ignored.

Each row says what it matches: a key by its path without indices, if need be only with some
values; or a step or an operator's command by its verb.  Removing a row enables a feature.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from attrs import frozen

from irqsim.scenario.locate import Path
from irqsim.scenario.place import Reading


@frozen
class Later:
    """One thing that is not supported yet; ``values`` None: whatever the value is."""

    match: str
    what: str
    values: tuple[object, ...] | None = None


_ON: Final = (True,)

LATER: Final[tuple[Later, ...]] = (
    Later("trace.tracer", "this tracer", ("function", "function_graph", "irqsoff")),
)


def refuse_later(document: dict[str, Any], reading: Reading) -> None:
    """Note a fault for everything in a document that is not supported yet."""
    rows = {row.match: row for row in LATER}
    for match, path, value in _things(document, (), ""):
        row = rows.get(match)
        if row is not None and (row.values is None or value in row.values):
            reading.fault(path, f"not supported yet: {row.what}")


def _things(value: object, path: Path, match: str) -> Iterator[tuple[str, Path, object]]:
    """Every key and every element of a document, with what the rows call it."""
    if isinstance(value, dict):
        for key, item in value.items():
            name = f"{match}.{key}" if match else key
            yield name, (*path, key), item
            yield from _things(item, (*path, key), name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            here = (*path, index)
            if isinstance(item, str):
                yield _named(item, match), here, item
            yield from _things(item, here, match)


def _named(text: str, match: str) -> str:
    """An element of a list of strings: a step or a command by its verb, others by their list."""
    words = text.split(None, 1)
    table, _, key = match.partition(".")
    if match == "at.do":
        return f"command {words[0]}" if words else ""
    last = key.rpartition(".")[2]
    if table == "softirq" or last in ("handler", "thread", "run", "do", "else"):
        return f"step {words[0]}" if words else ""
    return match
