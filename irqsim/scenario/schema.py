"""The JSON Schema of a scenario, for editors: made from the declarations that read it.

It says what can be said of a key by itself.  What depends on other keys (names that are
referred to, the CPUs of the machine, the kernel's refusals) only reading a scenario finds.

Source: JSON Schema, draft 2020-12.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import NOTHING, fields_dict

from irqsim.scenario.kinds import Schema
from irqsim.scenario.steps import CONTEXTS, IF_TESTS, REPEAT_MAX, STEPS
from irqsim.scenario.tables import CPUS_MAX, TABLES, Key, Table

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_NUMBER: Final = r"[0-9]{1,19}(\.[0-9]{1,19})?(ns|us|ms|s)"
_TIME: Final = rf"\s*({_NUMBER}|[0-9]{{1,19}})\s*"
_CPU_RANGE: Final = r"\s*[0-9]{1,5}(-[0-9]{1,5})?\s*"


def scenario_schema() -> Schema:
    """The schema of a whole scenario."""
    return {
        "$schema": DIALECT,
        "title": "irqsim scenario",
        "type": "object",
        "properties": {table.name: _table_schema(table) for table in TABLES},
        "additionalProperties": False,
        "$defs": _definitions(),
    }


def _table_schema(table: Table) -> Schema:
    schema: Schema = {"type": "object", "description": table.what}
    schema["properties"] = {key.name: _key_schema(table, key) for key in table.keys}
    required = [key.name for key in table.keys if _default(table, key) is NOTHING]
    if required and table.form != "map":
        schema["required"] = required
    schema["additionalProperties"] = False
    if table.form == "many":
        return {"type": "array", "description": table.what, "items": schema}
    return schema


def _key_schema(table: Table, key: Key) -> Schema:
    schema = {"description": key.what, **key.kind.schema()}
    default = _default(table, key)
    # A default that depends on other keys is no value but a way to get one.
    if default is NOTHING or default is None or hasattr(default, "takes_self"):
        return schema
    return {**schema, "default": key.kind.show(default)}


def _default(table: Table, key: Key) -> Any:
    """What a key that is left out is; NOTHING if it must not be."""
    if table.form == "map":
        return None
    return fields_dict(table.spec)[key.attribute].default


def _definitions() -> Schema:
    cpus = {"type": "integer", "minimum": 0, "maximum": CPUS_MAX - 1}
    durations = (_TIME, rf"\s*~{_TIME}", rf"{_TIME}\.\.{_TIME}", rf"{_TIME}(±|\+-){_TIME}")
    definitions: Schema = {
        "tick": {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*$"},
        "time": _integer_or(_TIME),
        "duration": _integer_or("|".join(durations)),
        "cpus": {
            "anyOf": [
                {"type": "array", "items": cpus, "minItems": 1},
                {"type": "string", "pattern": f"^{_CPU_RANGE}(,{_CPU_RANGE})*$"},
            ]
        },
    }
    for context in CONTEXTS:
        definitions[f"{context}_steps"] = _steps_schema(context)
    return definitions


def _integer_or(pattern: str) -> Schema:
    """A bare integer, in ticks, or a string."""
    return {
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": f"^({pattern})$"},
        ]
    }


def _steps_schema(context: str) -> Schema:
    """The steps that may stand in a context."""
    verbs = "|".join(kind.verb for kind in STEPS if kind.is_allowed_in(context))
    body = {"$ref": f"#/$defs/{context}_steps"}
    heads: tuple[tuple[str, Schema], ...] = (
        ("repeat", {"type": "integer", "minimum": 0, "maximum": REPEAT_MAX}),
        ("chance", {"type": "number", "minimum": 0, "maximum": 1}),
        ("if", {"enum": list(IF_TESTS)}),
    )
    controls = []
    for head, schema in heads:
        bodies = {"do": body} if head == "repeat" else {"do": body, "else": body}
        controls.append(
            {
                "type": "object",
                "properties": {head: schema, **bodies},
                "required": [head, "do"],
                "additionalProperties": False,
            }
        )
    step = {"type": "string", "pattern": rf"^\s*(({verbs})(\s|$)|[0-9~])"}
    return {"type": "array", "items": {"anyOf": [step, *controls]}}
