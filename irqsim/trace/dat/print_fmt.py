"""The print format of a tracepoint that we do not declare, as its file gives it.

``"irq=%d ret=%s", REC->irq, REC->ret ? "handled" : "unhandled"`` is C, of which this reads
as much as the formats of the kernel use.  What it does not understand prints as its fields,
``name=value``, the way of ``trace-cmd report -R``.

Source: include/trace/stages/stage3_trace_output.h; kernel/trace/trace_output.c:
trace_print_symbols_seq(), trace_print_flags_seq(), trace_print_hex_seq().
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from irqsim.trace.dat.c_expression import Call, Expression, parse_print_fmt
from irqsim.trace.dat.event_format import COMMON, EventFormat, FieldFormat, FieldReader
from irqsim.trace.dat.printf import Argument, binary_arguments, printf
from irqsim.trace.dat.stream import text_of
from irqsim.trace.dat.symbols import Symbols

Evaluate: TypeAlias = Callable[[bytes], Argument]


class Printer:
    """What it takes to print any entry of one file."""

    __slots__ = ("fields", "symbols")

    def __init__(self, fields: FieldReader, symbols: Symbols) -> None:
        self.fields = fields
        self.symbols = symbols

    def printf(self, template: str, arguments: list[Argument]) -> str:
        """Raises ValueError."""
        return printf(template, arguments, self._pointer, 8 * self.fields.long_size)

    def text(self, value: Argument) -> str:
        """A string, or the one at an address."""
        if isinstance(value, int):
            return self.symbols.string(value) or f"{value:#x}"
        return value if isinstance(value, str) else text_of(value)

    def _pointer(self, letters: str, value: Argument) -> str:
        if letters == "M" and isinstance(value, bytes):
            return ":".join(f"{byte:02x}" for byte in value[:6])
        if letters == "I4" and isinstance(value, bytes):
            return ".".join(str(byte) for byte in value[:4])
        if not isinstance(value, int):
            raise ValueError(f"expected an address to print, got {value!r}")
        digits = 2 * self.fields.long_size
        value &= (1 << 4 * digits) - 1
        found = None
        if letters in ("s", "f", "x"):
            found = self.symbols.function(value)
        elif letters in ("S", "F", "B"):
            found = self.symbols.offset(value)
        if found is not None or letters in ("s", "S", "f", "F", "B"):
            return found or f"{value:#x}"
        return f"{value:0{digits}x}"


class PrintFormat:
    """How one tracepoint prints."""

    __slots__ = ("_arguments", "_form", "_printer", "_template")

    def __init__(self, form: EventFormat, printer: Printer) -> None:
        self._form = form
        self._printer = printer
        self._template: str | None = None
        self._arguments: list[Expression] = []
        try:
            self._template, self._arguments = parse_print_fmt(form.print_fmt)
        except ValueError:
            self._template = None

    def text(self, entry: bytes) -> str:
        """The text behind the name."""
        if self._template is not None:
            evaluate = _Evaluation(self._form, self._printer, entry)
            try:
                values = [evaluate.value(each) for each in self._arguments]
                return self._printer.printf(self._template, values)
            except (ValueError, ZeroDivisionError, OverflowError, RecursionError):
                pass
        return self._raw(entry)

    def _raw(self, entry: bytes) -> str:
        fields = [each for each in self._form.fields if not each.name.startswith(COMMON)]
        return " ".join(f"{each.name}={self._raw_value(entry, each)}" for each in fields)

    def _raw_value(self, entry: bytes, place: FieldFormat) -> str:
        fields = self._printer.fields
        if place.is_string:
            return text_of(fields.data(entry, place))
        if place.is_dynamic or place.ctype.endswith("[]"):
            return fields.data(entry, place).hex()
        value = fields.integer(entry, place)
        return f"{value % (1 << 64):#x}" if place.ctype.endswith("*") else str(value)


class _Evaluation:
    """The value of expressions for one entry.  Every method raises ValueError."""

    def __init__(self, form: EventFormat, printer: Printer, entry: bytes) -> None:
        self._form = form
        self._printer = printer
        self._entry = entry

    def value(self, expression: Expression) -> Argument:
        if isinstance(expression, (int, str)):
            return expression
        kind = expression.name
        if kind == "REC":
            return self._field(str(expression.arguments[0]))
        if kind in _FUNCTIONS:
            return _FUNCTIONS[kind](self, expression)
        if kind == "?":
            test, yes, no = expression.arguments
            return self.value(yes if self.number(test) else no)
        if kind == "[]":
            return self._element(expression)
        if kind == "cast":
            return self.value(expression.arguments[1])
        numbers = [self.number(each) for each in expression.arguments]
        return _operate(kind, numbers)

    def number(self, expression: Expression) -> int:
        value = self.value(expression)
        if not isinstance(value, int):
            raise ValueError(f"expected a number, got {value!r}")
        return value

    def _place(self, expression: Expression) -> FieldFormat:
        if isinstance(expression, Call) and expression.name in ("REC", "name"):
            place = self._form.field_of.get(str(expression.arguments[0]))
            if place is not None:
                return place
        raise ValueError("expected a field")

    def _field(self, name: str) -> Argument:
        place = self._form.field_of.get(name)
        if place is None:
            raise ValueError(f"no field {name!r}")
        fields = self._printer.fields
        if place.is_string:
            return text_of(fields.data(self._entry, place))
        if place.ctype.endswith("[]") or place.is_dynamic:
            return fields.data(self._entry, place)
        value = fields.integer(self._entry, place)
        if place.ctype.endswith("char *"):
            return self._printer.symbols.string(value) or value
        return value

    def _element(self, expression: Call) -> Argument:
        base, index = expression.arguments
        place = self._place(base)
        size = place.element_size or self._printer.fields.long_size
        data = self._printer.fields.data(self._entry, place)
        elements = self._printer.fields.array(data, size)
        number = self.number(index)
        if not 0 <= number < len(elements):
            raise ValueError("an element that is not there")
        return elements[number]

    # -- functions -----------------------------------------------------------------------

    def dynamic(self, call: Call) -> Argument:
        return self._printer.fields.data(self._entry, self._place(call.arguments[0]))

    def string(self, call: Call) -> Argument:
        return text_of(self._printer.fields.data(self._entry, self._place(call.arguments[0])))

    def length(self, call: Call) -> Argument:
        return len(self._printer.fields.data(self._entry, self._place(call.arguments[0])))

    def bitmask(self, call: Call) -> Argument:
        fields = self._printer.fields
        data = fields.data(self._entry, self._place(call.arguments[0]))
        size = fields.long_size
        words = [
            f"{value >> 32 * part & 0xFFFFFFFF:08x}"
            for value in fields.array(data, size)
            for part in range(size // 4)
        ]
        return ",".join(reversed(words))

    def symbolic(self, call: Call) -> Argument:
        value = self.number(call.arguments[0])
        for pair in call.arguments[1:]:
            number, text = _pair(pair)
            if self.number(number) % (1 << 64) == value % (1 << 64):
                return self._printer.text(self.value(text))
        return f"{value % (1 << 64):#x}"

    def flags(self, call: Call) -> Argument:
        value = self.number(call.arguments[0]) % (1 << 64)
        between = self._printer.text(self.value(call.arguments[1]))
        words = []
        for pair in call.arguments[2:]:
            number, text = _pair(pair)
            mask = self.number(number) % (1 << 64)
            if value & mask == mask:
                words.append(self._printer.text(self.value(text)))
                value &= ~mask
        if value:
            words.append(f"{value:#x}")
        return between.join(words)

    def hex(self, call: Call) -> Argument:
        data = self.value(call.arguments[0])
        if not isinstance(data, bytes):
            raise ValueError("expected bytes")
        data = data[: max(0, self.number(call.arguments[1]))]
        return data.hex(" ") if call.name == "__print_hex" else data.hex()

    def array(self, call: Call) -> Argument:
        data, count, size = self.value(call.arguments[0]), *map(self.number, call.arguments[1:3])
        if not isinstance(data, bytes) or size not in (1, 2, 4, 8):
            raise ValueError("expected an array")
        elements = self._printer.fields.array(data, size)[: max(0, count)]
        return "{" + ",".join(f"{each:#x}" for each in elements) + "}"


_FUNCTIONS: Final[dict[str, Callable[[_Evaluation, Call], Argument]]] = {
    "__get_dynamic_array": _Evaluation.dynamic,
    "__get_rel_dynamic_array": _Evaluation.dynamic,
    "__get_dynamic_array_len": _Evaluation.length,
    "__get_str": _Evaluation.string,
    "__get_rel_str": _Evaluation.string,
    "__get_bitmask": _Evaluation.bitmask,
    "__get_rel_bitmask": _Evaluation.bitmask,
    "__get_cpumask": _Evaluation.bitmask,
    "__get_rel_cpumask": _Evaluation.bitmask,
    "__print_symbolic": _Evaluation.symbolic,
    "__print_flags": _Evaluation.flags,
    "__print_hex": _Evaluation.hex,
    "__print_hex_str": _Evaluation.hex,
    "__print_array": _Evaluation.array,
}


def _pair(expression: Expression) -> tuple[Expression, Expression]:
    if isinstance(expression, Call) and expression.name == "{}":
        if len(expression.arguments) == 2:
            return expression.arguments[0], expression.arguments[1]
    raise ValueError("expected a number and a name")


def _operate(kind: str, numbers: list[int]) -> int:
    if len(numbers) == 1:
        (value,) = numbers
        if kind not in _UNARY:
            raise ValueError(f"unknown: {kind}")
        return _UNARY[kind](value)
    if kind not in _BINARY or len(numbers) != 2:
        raise ValueError(f"unknown: {kind}")
    left, right = numbers
    if kind in ("<<", ">>"):
        right &= 63
    return _BINARY[kind](left, right)


_UNARY: Final[dict[str, Callable[[int], int]]] = {
    "-": lambda value: -value,
    "+": lambda value: value,
    "~": lambda value: ~value,
    "!": lambda value: int(not value),
}
_BINARY: Final[dict[str, Callable[[int, int], int]]] = {
    "*": lambda left, right: left * right % (1 << 64),
    "/": lambda left, right: left // right,
    "%": lambda left, right: left % right,
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "<<": lambda left, right: (left << right) % (1 << 64),
    ">>": lambda left, right: left >> right,
    "<": lambda left, right: int(left < right),
    ">": lambda left, right: int(left > right),
    "<=": lambda left, right: int(left <= right),
    ">=": lambda left, right: int(left >= right),
    "==": lambda left, right: int(left == right),
    "!=": lambda left, right: int(left != right),
    "&": lambda left, right: left & right,
    "^": lambda left, right: left ^ right,
    "|": lambda left, right: left | right,
    "&&": lambda left, right: int(bool(left) and bool(right)),
    "||": lambda left, right: int(bool(left) or bool(right)),
}


def binary_print(template: str, data: bytes, printer: Printer) -> str:
    """The text of a trace_printk() whose values were kept as they are."""
    fields = printer.fields
    try:
        arguments = binary_arguments(
            template, data, lambda at, size: fields.number(data, at, size), fields.long_size
        )
        return printer.printf(template, arguments)
    except ValueError:
        return template
