"""A told record as text and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from irqsim.analysis.words import VIEWS, Language, Sentence
from irqsim.records import Record

INDENT: Final = "    "


def narrate_text(line: str, told: Sequence[Sentence], language: Language) -> str:
    """The line as it is, and below it a line for each sentence, its view in front."""
    lines = [line]
    for each in told:
        view = VIEWS[each.view][language]
        lines.append(f"{INDENT}{view}: {each.text} [{each.function}, {each.file}]")
    return "".join(f"{each}\n" for each in lines)


def narrate_object(
    number: int, line: str, record: Record | None, told: Sequence[Sentence]
) -> dict[str, object]:
    """The same as a JSON object; `number` 0 where there is no line of that number."""
    found: dict[str, object] = {"line": number, "text": line}
    if record is not None:
        time_ns, context, event = record
        found |= {"time_ns": time_ns, "cpu": context.cpu, "event": event.tracepoint.name}
    found["told"] = [
        {
            "key": each.key,
            "view": each.view,
            "text": each.text,
            "function": each.function,
            "file": each.file,
        }
        for each in told
    ]
    return found
