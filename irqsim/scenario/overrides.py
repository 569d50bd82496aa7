"""``--set KEY=VALUE``: values of a scenario, replaced before it is read.

A key is spelled as in messages, and members of a list of tables may be named:
``device.eth0.affinity``, ``device[0].handler[1]``, ``task."a b".nice``.  A value is a TOML
value; a word that is none is a string.  What is wrong with either, or with the value once it
is read, is reported with ``--set`` for a place.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from irqsim.errors import Fault
from irqsim.scenario.locate import Path
from irqsim.scenario.names import hint, shown
from irqsim.scenario.place import OVERRIDE, Override, Reading, key_of
from irqsim.scenario.tables import TABLES

# One part of a key, and what may stand between it and the next.
_PART: Final = re.compile(
    r"""\s*(?: \[(?P<index>[0-9]{1,9})\]
    | (?P<dot>\.?)\s*(?: "(?P<double>[^"\\]*)" | '(?P<single>[^']*)' | (?P<bare>[^.=\[\]"']+)) )""",
    re.VERBOSE,
)
DEPTH_MAX: Final = 200
"""How deeply a document may be nested: the parts of the longest path in it."""
_MANY: Final = tuple(table.name for table in TABLES if table.form == "many")


def apply_overrides(document: dict[str, Any], overrides: Sequence[str], reading: Reading) -> None:
    """Set each override in the document; faults are noted in the reading."""
    for override in overrides:
        typed = override.partition("=")[0].strip()
        try:
            key, raw = _split(override)
            *made, path = _set(document, key, _value(raw))
            for table in made:
                reading.overridden.setdefault(table, Override(key_of(table), raw))
            reading.overridden[path] = Override(typed, raw)
        except ValueError as error:
            key_text = typed if len(typed) <= 60 else f"{typed[:57]}..."
            reading.faults.append(Fault(OVERRIDE, None, key_text, str(error)))


def is_deeper(value: object, depth_max: int) -> bool:
    """Whether tables and lists are nested deeper than this; says so of any depth."""
    level = [value]
    for _ in range(depth_max):
        parts = [part for part in level if isinstance(part, dict | list)]
        level = [
            item
            for part in parts
            for item in (part.values() if isinstance(part, dict) else part)
        ]
    return any(isinstance(part, dict | list) for part in level)


def parse_float(text: str) -> Decimal:
    """A TOML float, exactly as it was written; what no Decimal can hold is not a number."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _split(override: str) -> tuple[list[str | int], str]:
    """The parts of the key, and the text of the value."""
    parts: list[str | int] = []
    at = 0
    while not override[at:].lstrip().startswith("="):
        found = _PART.match(override, at)
        is_first = not parts
        if found is None or (found["index"] is None and is_first == bool(found["dot"])):
            raise ValueError("expected KEY=VALUE such as 'run.seed=3'")
        if found["index"] is not None:
            if is_first:
                raise ValueError("expected KEY=VALUE such as 'run.seed=3'")
            parts.append(int(found["index"]))
        else:
            bare, quoted = found["bare"], found["double"] or found["single"] or ""
            parts.append(quoted if bare is None else bare.strip())
        at = found.end()
    raw = override[at:].lstrip()[1:].strip()
    if len(parts) > DEPTH_MAX // 2:
        raise ValueError(f"a key of more than {DEPTH_MAX // 2} parts")
    if not parts or not raw:
        raise ValueError("expected KEY=VALUE such as 'run.seed=3'")
    return parts, raw


def _value(raw: str) -> object:
    """A TOML value, or the text itself as a string."""
    try:
        table = tomllib.loads(f"value = {raw}", parse_float=parse_float)
    except (ValueError, RecursionError) as error:
        if raw[0] in "[{\"'":
            raise ValueError(f"not a TOML value: {shown(raw)}") from error
        return raw
    if is_deeper(table, DEPTH_MAX // 2):
        raise ValueError(f"nested more than {DEPTH_MAX // 2} deep")
    return table["value"] if len(table) == 1 else raw


def _set(document: dict[str, Any], key: list[str | int], value: object) -> list[Path]:
    """Put the value where the key leads; the path there, in indices instead of names.

    If there was no table on the way, the path of the one that was made comes first.
    """
    holder: Any = document
    path: Path = ()
    paths: list[Path] = []
    parts = list(key)
    while parts:
        if isinstance(holder, list):
            step: str | int = _index(holder, parts, path)
        elif isinstance(holder, dict) and isinstance(parts[0], str):
            step = parts.pop(0)
        else:
            raise ValueError(f"{key_of(path)} has no parts to set")
        path = (*path, step)
        if not parts:
            holder[step] = value
            return [*paths, path]
        if isinstance(step, str) and step not in holder:
            if path == (step,) and step in _MANY:
                raise ValueError(f"the scenario has no [[{step}]]")
            holder[step] = {}
            paths = paths or [path]
        holder = holder[step]
    raise AssertionError("a key has at least one part")


def _index(members: list[Any], parts: list[str | int], path: Path) -> int:
    """Which member the next parts mean; a name may hold dots and so be several parts."""
    if isinstance(parts[0], int):
        index = parts.pop(0)
        if not isinstance(index, int) or index >= len(members):
            raise ValueError(f"{key_of(path)} has {len(members)} members, there is no [{index}]")
        return index
    names = [member.get("name") if isinstance(member, dict) else None for member in members]
    for size in range(len(parts), 0, -1):
        words = [part for part in parts[:size] if isinstance(part, str)]
        if len(words) == size and ".".join(words) in names:
            del parts[:size]
            return names.index(".".join(words))
    known = [name for name in names if isinstance(name, str)]
    end = hint(parts[0], known) if known else "; its members have no names, use [0], [1] …"
    raise ValueError(f"unknown {key_of(path)} {shown(parts[0])}{end}")
