"""The kinds of values that a key can have: how each is read, described and shown.

A kind reads a TOML value into what the spec holds, or raises ValueError with what is wrong;
a kind with parts notes the faults of its parts at their own places.  The same kinds describe
themselves as JSON Schema, so that the language is declared once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Protocol

from attrs import frozen

from irqsim.hw.bcm2836 import NR_TIMERS, PMU_FAST
from irqsim.kernel.irq.settings import IRQF_FLAGS
from irqsim.scenario.names import hint, one_of, shown
from irqsim.scenario.place import Place
from irqsim.scenario.spec import Body
from irqsim.scenario.steps import check_cpus, check_reference, parse_body
from irqsim.units import (
    Duration,
    format_duration,
    format_ns,
    parse_cpulist,
    parse_duration,
    parse_time,
    round_up,
)

Schema = dict[str, Any]

LOCAL_SOURCES: Final = (*range(NR_TIMERS), PMU_FAST)
"""Of each core's local controller of bcm2836."""
COMM_MAX: Final = 15
"""The bytes of a task's name: TASK_COMM_LEN less its end."""
NAME_MAX: Final = 255
"""The bytes of a file name: every other name is one in some tree of the machine."""
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")


class Kind(Protocol):
    """A kind of value."""

    def read(self, value: object, place: Place) -> Any:
        """The value as the spec holds it.  Raises ValueError."""

    def schema(self) -> Schema:
        """The value as JSON Schema."""

    def show(self, value: Any) -> object:
        """The spec's value as TOML has it: the inverse of ``read``."""


@frozen
class Boolean:
    """``true`` or ``false``."""

    def read(self, value: object, place: Place) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"expected true or false, got {shown(value)}")
        return value

    def schema(self) -> Schema:
        return {"type": "boolean"}

    def show(self, value: bool) -> object:
        return value


@frozen
class Integer:
    """An integer of a range; ``advice`` says what to write instead of one outside."""

    low: int
    high: int
    what: str = "an integer"
    advice: Callable[[int], str] | None = None

    def read(self, value: object, place: Place) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"expected {self.what}, got {shown(value)}")
        if not self.low <= value <= self.high:
            end = self.advice(value) if self.advice else ""
            raise ValueError(
                f"expected {self.what} ({self.low} to {self.high}), got {shown(value)}{end}"
            )
        return value

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def show(self, value: int) -> object:
        return value


@frozen
class Time:
    """A fixed time in whole ticks."""

    is_zero_allowed: bool = True

    def read(self, value: object, place: Place) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f"expected a time such as '2us', got {shown(value)}")
        time_ns = parse_time(value, place.reading.scope.tick_ns)
        if time_ns == 0 and not self.is_zero_allowed:
            raise ValueError(f"expected a time above zero, got {shown(value)}")
        return time_ns

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/time"}

    def show(self, value: int) -> object:
        return format_ns(value)

    def rounded(self, value: int, tick_ns: int) -> int:
        """A default, in whole ticks like everything that is read."""
        return round_up(value, tick_ns)


@frozen
class Tick:
    """The resolution of time itself, which cannot be given in ticks."""

    def read(self, value: object, place: Place) -> int:
        if not isinstance(value, str) or value.strip().isdigit():
            raise ValueError(f"expected a time with its unit such as '1us', got {shown(value)}")
        time_ns = parse_time(value, 1)
        if time_ns == 0:
            raise ValueError(f"expected a time above zero, got {shown(value)}")
        return time_ns

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/tick"}

    def show(self, value: int) -> object:
        return format_ns(value)


@frozen
class RandomDuration:
    """A duration that may be random."""

    def read(self, value: object, place: Place) -> Duration:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f"expected a duration such as '2us', got {shown(value)}")
        return parse_duration(value, place.reading.scope.tick_ns)

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/duration"}

    def show(self, value: Duration) -> object:
        return format_duration(value)

    def rounded(self, value: Duration, tick_ns: int) -> Duration:
        """A default, in whole ticks like everything that is read."""
        return Duration("fixed", round_up(value.a, tick_ns))


@frozen
class Choice:
    """One of a few words."""

    choices: tuple[str, ...]

    def read(self, value: object, place: Place) -> str:
        text = text_of(value, place)
        if text is None:
            raise ValueError(f"expected {one_of(self.choices)}, got {shown(value)}")
        if text not in self.choices:
            raise ValueError(f"unknown value {shown(text)}{hint(text, self.choices)}")
        return text

    def schema(self) -> Schema:
        return {"enum": list(self.choices)}

    def show(self, value: str) -> object:
        return value


@frozen
class Text:
    """Words, in one line."""

    def read(self, value: object, place: Place) -> str:
        text = text_of(value, place)
        if text is None:
            raise ValueError(f"expected text, got {shown(value)}")
        if _UNPRINTABLE.search(text):
            raise ValueError(f"expected one line of text, got {shown(value)}")
        return text

    def schema(self) -> Schema:
        return {"type": "string"}

    def show(self, value: str) -> object:
        return value


@frozen
class Name:
    """A name that others refer to, at most so many bytes long."""

    bytes_max: int = NAME_MAX

    def read(self, value: object, place: Place) -> str:
        text = Text().read(value, place)
        if not text.strip() or text != text.strip():
            raise ValueError(f"expected a name without space at its ends, got {shown(value)}")
        if len(text.encode()) > self.bytes_max:
            raise ValueError(f"expected at most {self.bytes_max} characters, got {shown(value)}")
        return text

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": self.bytes_max}

    def show(self, value: str) -> object:
        return value


@frozen
class Reference:
    """The name of a member of a list of tables."""

    table: str

    def read(self, value: object, place: Place) -> str:
        text = text_of(value, place)
        if text is None:
            raise ValueError(f"expected the name of a {self.table}, got {shown(value)}")
        return check_reference(self.table, text, place.reading.scope.names[self.table])

    def schema(self) -> Schema:
        return {"type": "string"}

    def show(self, value: str) -> object:
        return value


@frozen
class Cpu:
    """A CPU of the machine."""

    def read(self, value: object, place: Place) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"expected a CPU number, got {shown(value)}")
        check_cpus((value,), place.reading.scope.nr_cpus)
        return value

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": 0}

    def show(self, value: int) -> object:
        return value


@frozen
class CpuSet:
    """CPUs of the machine: a list of numbers, or a kernel cpulist."""

    def read(self, value: object, place: Place) -> tuple[int, ...]:
        text = text_of(value, place)
        if text is not None:
            cpus = parse_cpulist(text)
        elif isinstance(value, list) and all(type(cpu) is int for cpu in value):
            cpus = tuple(sorted(dict.fromkeys(value)))
        else:
            raise ValueError(f"expected CPUs such as [0, 2] or '0-3,6', got {shown(value)}")
        if not cpus:
            raise ValueError("expected at least one CPU, got an empty list")
        check_cpus(cpus, place.reading.scope.nr_cpus)
        return cpus

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/cpus"}

    def show(self, value: tuple[int, ...]) -> object:
        return list(value)


@frozen
class Flags:
    """A list of the flags that request_irq() takes."""

    def read(self, value: object, place: Place) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError(f"expected a list such as ['IRQF_SHARED'], got {shown(value)}")
        for index, flag in enumerate(value):
            if not isinstance(flag, str):
                place.at(index).fault(f"expected a flag such as 'IRQF_SHARED', got {shown(flag)}")
            elif flag not in IRQF_FLAGS:
                place.at(index).fault(f"unknown flag {shown(flag)}{hint(flag, IRQF_FLAGS)}")
        return tuple(flag for flag in dict.fromkeys(map(str, value)) if flag in IRQF_FLAGS)

    def schema(self) -> Schema:
        return {"type": "array", "items": {"enum": list(IRQF_FLAGS)}}

    def show(self, value: tuple[str, ...]) -> object:
        return list(value)


@frozen
class GpioLine:
    """``["gpio0", 3]``: a line of a chained GPIO controller."""

    def read(self, value: object, place: Place) -> tuple[str, int]:
        if (
            not isinstance(value, list)
            or len(value) != 2
            or not isinstance(value[0], str)
            or type(value[1]) is not int
        ):
            raise ValueError(f"expected a controller and a line, ['gpio0', 3], got {shown(value)}")
        name, line = value
        check_reference("gpio", name, place.reading.scope.names["gpio"])
        return name, line

    def schema(self) -> Schema:
        pair = [{"type": "string"}, {"type": "integer", "minimum": 0}]
        return {"type": "array", "prefixItems": pair, "minItems": 2, "maxItems": 2}

    def show(self, value: tuple[str, int]) -> object:
        return list(value)


@frozen
class BankBit:
    """``[1, 24]``: a bank of the ARMCTRL controller and a bit of it."""

    nr_bits: tuple[int, ...]

    def read(self, value: object, place: Place) -> tuple[int, int]:
        if (
            not isinstance(value, list)
            or len(value) != 2
            or any(type(part) is not int for part in value)
        ):
            raise ValueError(f"expected a bank and a bit, [1, 24], got {shown(value)}")
        bank, bit = value
        if not 0 <= bank < len(self.nr_bits):
            raise ValueError(f"expected a bank (0 to {len(self.nr_bits) - 1}), got {shown(bank)}")
        if not 0 <= bit < self.nr_bits[bank]:
            raise ValueError(
                f"expected a bit of bank {bank} (0 to {self.nr_bits[bank] - 1}), got {shown(bit)}"
            )
        return bank, bit

    def schema(self) -> Schema:
        pair = [
            {"type": "integer", "minimum": 0, "maximum": high}
            for high in (len(self.nr_bits) - 1, max(self.nr_bits) - 1)
        ]
        return {"type": "array", "prefixItems": pair, "minItems": 2, "maxItems": 2}

    def show(self, value: tuple[int, int]) -> object:
        return list(value)


@frozen
class LocalSource:
    """A timer (0 to 3) or the PMU (9) of a core's local controller."""

    def read(self, value: object, place: Place) -> int:
        if type(value) is not int or value not in LOCAL_SOURCES:
            raise ValueError(
                f"expected a source of the local controller (0 to 3: timers, 9: PMU), "
                f"got {shown(value)}"
            )
        return value

    def schema(self) -> Schema:
        return {"enum": list(LOCAL_SOURCES)}

    def show(self, value: int) -> object:
        return value


@frozen
class Steps:
    """Code: a list of steps that stand in one of the contexts of ``steps.py``."""

    context: str

    def read(self, value: object, place: Place) -> Body:
        reading = place.reading
        return parse_body(
            value,
            self.context,
            reading.scope,
            place.reports(),
            lambda path: reading.line_of((*place.path, *path)),
        )

    def schema(self) -> Schema:
        return {"$ref": f"#/$defs/{self.context}_steps"}

    def show(self, value: Body) -> object:
        raise AssertionError("no key has steps as its default")


def text_of(value: object, place: Place) -> str | None:
    """A string; for an override also a bare word that TOML takes for something else."""
    if isinstance(value, str):
        return value
    if place.override is not None and not isinstance(value, dict | list):
        return place.override
    return None
