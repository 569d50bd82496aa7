"""What a sentence of `irqsim narrate` is made of: words in each language, and their place.

A sentence belongs to one of three views of an interrupt, and names the kernel's function that
does what it tells, and the file of that function.  Templates are filled with values of the
record, under the same names in both languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

from attrs import frozen

from irqsim.records import Value

Language: TypeAlias = Literal["en", "ko"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "ko")

View: TypeAlias = Literal["processor", "kernel", "driver"]
VIEWS: Final[dict[View, dict[Language, str]]] = {
    "processor": {"en": "processor", "ko": "프로세서"},
    "kernel": {"en": "kernel", "ko": "커널"},
    "driver": {"en": "driver", "ko": "드라이버"},
}

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


@frozen
class Words:
    """One sentence, in every language."""

    key: str
    view: View
    en: str
    ko: str
    function: str
    """Who does it; may have placeholders, where releases or architectures differ."""
    file: str
    """Below the root of the kernel's source."""

    def placeholders(self, language: Language) -> frozenset[str]:
        """The names of the values that the sentence needs."""
        return frozenset(_PLACEHOLDER.findall(getattr(self, language)))


@frozen
class Sentence:
    """One sentence, told."""

    key: str
    view: View
    text: str
    function: str
    file: str


def tell(words: Words, language: Language, values: Mapping[str, Value]) -> Sentence:
    """Fill in the values.  Raises KeyError for one that is not there."""
    template = words.en if language == "en" else words.ko
    return Sentence(
        words.key,
        words.view,
        template.format_map(values),
        words.function.format_map(values),
        words.file.format_map(values),
    )


def table(*groups: Iterable[Words]) -> dict[str, Words]:
    """Words by their keys, each of which is given once."""
    found: dict[str, Words] = {}
    for group in groups:
        for each in group:
            assert each.key not in found, each.key
            found[each.key] = each
    return found
