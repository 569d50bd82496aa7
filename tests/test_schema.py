"""The JSON Schema: it takes what the reader takes, and refuses what a key alone gets wrong."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from irqsim.errors import ScenarioError
from irqsim.scenario.new import template, template_names
from irqsim.scenario.reader import read_text
from irqsim.scenario.schema import scenario_schema
from irqsim.scenario.steps import STEPS
from irqsim.scenario.tables import TABLES
from tests.scenarios import FULL, TINY

SCHEMA = scenario_schema()
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def errors(value: object, schema: dict[str, Any], path: str = "") -> list[str]:
    """What a value gets wrong: as much of the standard as the schema uses, and no more."""
    found: list[str] = []
    known = {"description", "default", "title", "$schema", "$defs"}
    for word, rule in schema.items():
        if word not in known:
            found += CHECKS[word](value, rule, schema, path)
    return found


def _type(value: object, rule: Any, schema: dict[str, Any], path: str) -> list[str]:
    is_right = isinstance(value, TYPES[rule]) and (rule == "boolean") == isinstance(value, bool)
    return [] if is_right else [f"{path}: not of type {rule}"]


def _ref(value: object, rule: Any, schema: dict[str, Any], path: str) -> list[str]:
    return errors(value, SCHEMA["$defs"][rule.removeprefix("#/$defs/")], path)


def _any_of(value: object, rule: Any, schema: dict[str, Any], path: str) -> list[str]:
    return [] if any(not errors(value, each) for each in rule) else [f"{path}: none of the kinds"]


def _enum(value: object, rule: Any, schema: dict[str, Any], path: str) -> list[str]:
    return [] if value in rule else [f"{path}: not one of {rule}"]


def _pattern(value: object, rule: Any, schema: dict[str, Any], path: str) -> list[str]:
    is_right = not isinstance(value, str) or re.search(rule, value)
    return [] if is_right else [f"{path}: does not match {rule}"]


def _limit(value: object, rule: Any, schema: dict[str, Any], path: str) -> list[str]:
    size = len(value) if isinstance(value, str | list) else value
    if not isinstance(size, int | float):
        return []
    low = schema.get("minimum", schema.get("minLength", schema.get("minItems", size)))
    high = schema.get("maximum", schema.get("maxLength", schema.get("maxItems", size)))
    return [] if low <= size <= high else [f"{path}: out of range"]


def _properties(value: object, rule: Any, schema: dict[str, Any], path: str) -> list[str]:
    found: list[str] = []
    for key, item in value.items() if isinstance(value, dict) else ():
        if key in rule:
            found += errors(item, rule[key], f"{path}.{key}")
        elif schema.get("additionalProperties") is False:
            found.append(f"{path}.{key}: not a key")
    return found


def _required(value: object, rule: Any, schema: dict[str, Any], path: str) -> list[str]:
    return [f"{path}: no {key}" for key in rule if isinstance(value, dict) and key not in value]


def _items(value: object, rule: Any, schema: dict[str, Any], path: str) -> list[str]:
    found: list[str] = []
    for index, item in enumerate(value if isinstance(value, list) else ()):
        found += errors(item, rule, f"{path}[{index}]")
    return found


def _prefix_items(value: object, rule: Any, schema: dict[str, Any], path: str) -> list[str]:
    found: list[str] = []
    for item, each in zip(value if isinstance(value, list) else (), rule, strict=False):
        found += errors(item, each, path)
    return found


CHECKS: dict[str, Any] = {
    "type": _type,
    "$ref": _ref,
    "anyOf": _any_of,
    "enum": _enum,
    "pattern": _pattern,
    "properties": _properties,
    "additionalProperties": lambda *_: [],
    "required": _required,
    "items": _items,
    "prefixItems": _prefix_items,
    **dict.fromkeys(
        ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"), _limit
    ),
}


def schema_errors(text: str) -> list[str]:
    return errors(tomllib.loads(text), SCHEMA)


def test_every_table_and_key_is_described() -> None:
    for table in TABLES:
        schema = SCHEMA["properties"][table.name]
        schema = schema["items"] if table.form == "many" else schema
        assert list(schema["properties"]) == [key.name for key in table.keys]
        assert all(each["description"] for each in schema["properties"].values())


def test_defaults_are_what_the_reader_takes_for_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario that spells all defaults out is the empty one."""
    lines = []
    for table in TABLES:
        if table.form != "one":
            continue
        lines.append(f"[{table.name}]")
        for key, schema in SCHEMA["properties"][table.name]["properties"].items():
            if "default" in schema:
                lines.append(f"{key} = {json.dumps(schema['default'])}")
    assert len(lines) > 25
    monkeypatch.setattr("irqsim.scenario.later.LATER", ())
    assert read_text("\n".join(lines)) == read_text("")


def test_default_of_a_member_is_what_the_reader_takes_for_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("irqsim.scenario.later.LATER", ())
    base = {
        "device": 'name = "a"\nspi = 1\n',
        "napi": 'name = "n"\ndevice = "d"\n',
        "gpio": 'name = "g"\nspi = 2\n',
        "at": 'time = "1ms"\ndo = []\n',
    }
    for table in TABLES:
        if table.form != "many":
            continue
        required = base.get(table.name, 'name = "x"\nrun = []\n')
        keys = SCHEMA["properties"][table.name]["items"]["properties"]
        spelled = "".join(
            f"{key} = {json.dumps(schema['default'])}\n"
            for key, schema in keys.items()
            if "default" in schema
        )
        extra = '[[device]]\nname = "d"\nspi = 9\n' if table.name == "napi" else ""
        text = f"[[{table.name}]]\n{required}"
        assert read_text(f"{text}{spelled}{extra}") == read_text(f"{text}{extra}")


@pytest.mark.parametrize("name", template_names())
def test_templates_match_the_schema(name: str) -> None:
    assert schema_errors(template(name)) == []


@pytest.mark.parametrize("text", ["", TINY, FULL])
def test_scenarios_match_the_schema(text: str) -> None:
    assert schema_errors(text) == []


def test_shipped_scenarios_match_the_schema() -> None:
    root = Path(__file__).resolve().parent.parent / "traces"
    for file in sorted(root.rglob("scenario.toml")):
        assert schema_errors(file.read_text(encoding="utf-8")) == [], file


def test_real_scenarios_match_the_schema(reference: Path) -> None:
    files = sorted(reference.rglob("scenario.toml"))
    if not files:
        pytest.skip("no scenarios there")
    for file in files:
        assert schema_errors(file.read_text(encoding="utf-8")) == [], file


@pytest.mark.parametrize(
    "text",
    [
        "[rum]",
        "[run]\nsed = 1",
        "[run]\nseed = true",
        '[run]\nduration = "~5ms"',
        '[run]\ntick = "5"',
        '[machine]\narch = "armv7"',
        '[[device]]\nspi = 1',
        '[[device]]\nname = "a"\nspi = 1000',
        '[[device]]\nname = "a"\nflags = ["IRQF_SHARD"]',
        '[[device]]\nname = "a"\nhandler = ["tasklet_shedule t"]',
        '[[device]]\nname = "a"\nhandler = ["syscall 2us"]',
        '[[device]]\nname = "a"\nhandler = [{ repeat = 2 }]',
        '[[device]]\nname = "a"\nhandler = [{ if = "in_task", do = ["rum"] }]',
        '[[device]]\nname = "a"\naffinity = "3-"',
        '[[device]]\nname = "a"\narrivals = { evry = "1ms" }',
        '[[task]]\nname = "0123456789abcdef"\nrun = []',
        '[[at]]\ntime = "1ms"\ndo = ["dog /x"]',
        '[trace]\noptions = ["irqinfo"]',
    ],
)
def test_schema_refuses_what_the_reader_refuses(text: str) -> None:
    assert schema_errors(text) != []
    with pytest.raises(ScenarioError):
        read_text(text)


def test_steps_of_each_context_are_those_of_the_table() -> None:
    for kind in STEPS:
        text = " ".join((kind.verb, *("x" for _ in kind.params)))
        is_allowed = not errors([text], SCHEMA["$defs"]["task_steps"])
        assert is_allowed == kind.is_allowed_in("task")


def test_schema_is_json() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
