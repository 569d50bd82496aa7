"""C expressions, as the print formats of tracepoints use them, as trees.

A precedence climber over a list of tokens.  A type in parentheses is a cast, which changes
nothing here: what a value is, its field says.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias, Union

from attrs import frozen

Expression: TypeAlias = Union[int, str, "Call"]


@frozen
class Call:
    """An operator or a function, and what it is applied to.

    ``REC`` is a field of the entry, ``name`` any other name, ``{}`` braces, ``[]`` an element,
    ``cast`` a type and a value.
    """

    name: str
    arguments: tuple[Expression, ...]


_TOKEN: Final = re.compile(
    r"\s*(?:(\"(?:[^\"\\]|\\.)*\")|('(?:[^'\\]|\\.)')|(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})[uUlL]*"
    r"|([A-Za-z_]\w*)|(->|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>?:(),{}\[\].]))"
)
_LEVELS: Final = {
    "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7,
    ">=": 7, "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10,
}  # fmt: skip
_TYPES: Final = re.compile(
    r"(?:unsigned|signed|char|short|int|long|void|const|struct|union|enum|volatile|bool|size_t"
    r"|ssize_t|pid_t|dma_addr_t|phys_addr_t|sector_t|loff_t|ino_t|dev_t|gfp_t|umode_t|uintptr_t"
    r"|__force|_?_?[us](?:8|16|32|64)|__[bl]e(?:16|32|64)|u?int(?:8|16|32|64)_t|\w+_t)"
)
_ESCAPES: Final = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "'": "'", "0": "\0"}
_DEPTH_MAX: Final = 64
_TEXT_MAX: Final = 1 << 17


def parse_print_fmt(text: str) -> tuple[str, list[Expression]]:
    """The template and its values.  Raises ValueError for what it does not understand."""
    if len(text) > _TEXT_MAX:
        raise ValueError("a print format without an end")
    parser = _Parser(_tokens(text))
    template = parser.expression()
    if not isinstance(template, str):
        raise ValueError("expected a format string")
    values = []
    while parser.accept(","):
        values.append(parser.expression())
    if parser.token:
        raise ValueError(f"unexpected {parser.token!r}")
    return template, values


def _tokens(text: str) -> list[str]:
    tokens = []
    at = 0
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"unexpected {text[at : at + 10]!r}")
        tokens.append(found[found.lastindex or 0])
        at = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, ""]
        self._at = 0
        self._depth = 0

    @property
    def token(self) -> str:
        return self._tokens[self._at]

    def accept(self, token: str) -> bool:
        if self.token != token:
            return False
        self._at += 1
        return True

    def expect(self, token: str) -> None:
        if not self.accept(token):
            raise ValueError(f"expected {token!r}, got {self.token!r}")

    def take(self) -> str:
        token = self.token
        if not token:
            raise ValueError("ends too early")
        self._at += 1
        return token

    def expression(self) -> Expression:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise ValueError("nested too deeply")
        value = self._binary(1)
        if self.accept("?"):
            yes = self.expression()
            self.expect(":")
            value = Call("?", (value, yes, self.expression()))
        self._depth -= 1
        return value

    def _binary(self, level: int) -> Expression:
        left = self._unary()
        while _LEVELS.get(self.token, 0) >= level:
            operator = self.take()
            left = Call(operator, (left, self._binary(_LEVELS[operator] + 1)))
        return left

    def _unary(self) -> Expression:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise ValueError("nested too deeply")
        try:
            for operator in ("-", "+", "~", "!"):
                if self.accept(operator):
                    return Call(operator, (self._unary(),))
            # The address of an array, and what is at it, are its bytes.
            if self.accept("&") or self.accept("*"):
                return self._unary()
            if self.token == "(" and self._is_type():
                return Call("cast", (self._type(), self._unary()))
            return self._postfix(self._primary())
        finally:
            self._depth -= 1

    def _primary(self) -> Expression:
        token = self.take()
        if token == "(":
            value = self.expression()
            self.expect(")")
            return value
        if token == "{":
            return Call("{}", self._list("}"))
        if token[0] == '"':
            text = _unquoted(token)
            while self.token.startswith('"'):
                text += _unquoted(self.take())
            return text
        if token[0] == "'":
            return ord(_unquoted(token)[0])
        if token[0].isdigit():
            return int(token, 16 if token[:2] in ("0x", "0X") else 10)
        if token == "REC":
            self.expect("->")
            return Call("REC", (self.take(),))
        if token == "sizeof":
            raise ValueError("sizeof is not understood")
        if token[0].isalpha() or token[0] == "_":
            if self.accept("("):
                return Call(token, self._list(")"))
            return Call("name", (token,))
        raise ValueError(f"unexpected {token!r}")

    def _postfix(self, value: Expression) -> Expression:
        while self.accept("["):
            index = self.expression()
            self.expect("]")
            value = Call("[]", (value, index))
        if self.token in (".", "->"):
            raise ValueError("members of members are not understood")
        return value

    def _list(self, end: str) -> tuple[Expression, ...]:
        values: list[Expression] = []
        while not self.accept(end):
            values.append(self.expression())
            if not self.accept(","):
                self.expect(end)
                break
        return tuple(values)

    def _is_type(self) -> bool:
        return _TYPES.fullmatch(self._tokens[self._at + 1]) is not None

    def _type(self) -> str:
        self.expect("(")
        words = []
        while not self.accept(")"):
            words.append(self.take())
        return " ".join(words)


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), token[1:-1])
