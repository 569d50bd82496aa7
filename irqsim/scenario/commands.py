"""What an operator types: the little of a shell that the key ``do`` of ``[[at]]`` takes.

One command to a string: ``cat PATH…``, ``echo [-n] WORDS > PATH``, ``devmem ADDRESS [WIDTH
[VALUE]]``.  Words may be quoted as in a shell; what a shell would do beyond that (pipes,
variables) is refused and never taken for plain text.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from irqsim.scenario.kinds import Schema
from irqsim.scenario.names import hint, shown
from irqsim.scenario.place import Place
from irqsim.scenario.spec import AtCommand

COMMANDS: Final = ("cat", "echo", "devmem")
DEVMEM_WIDTHS: Final = (8, 16, 32, 64)
ADDRESS_MAX: Final = 2**64 - 1

# A word, a quoted part of one, a redirection (with the descriptor before it), or space.
_PIECE: Final = re.compile(
    r"""(?P<space>[ \t]+)
    | (?P<redirect>>>?)
    | '(?P<single>[^']*)'
    | "(?P<double>(?:[^"\\]|\\.)*)"
    | \\(?P<escaped>.)
    | (?P<plain>[^\s'"\\>|&;<()$`#~]+|(?<=\S)[#~])
    """,
    re.VERBOSE,
)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@frozen
class Commands:
    """A list of commands."""

    def read(self, value: object, place: Place) -> tuple[AtCommand, ...]:
        if not isinstance(value, list):
            raise ValueError(f"expected a list of commands, got {shown(value)}")
        commands: list[AtCommand] = []
        for index, item in enumerate(value):
            here = place.at(index)
            try:
                if not isinstance(item, str):
                    raise ValueError(f"expected a command, got {shown(item)}")
                commands.extend(parse_command(item, here.line))
            except ValueError as error:
                here.fault(str(error))
        return tuple(commands)

    def schema(self) -> Schema:
        pattern = f"^[ \\t]*({'|'.join(COMMANDS)})[ \\t]"
        return {"type": "array", "items": {"type": "string", "pattern": pattern}}

    def show(self, value: tuple[AtCommand, ...]) -> object:
        raise AssertionError("no key has commands as its default")


def parse_command(source: str, line: int | None = None) -> tuple[AtCommand, ...]:
    """Read one command; ``cat`` of several files is several.  Raises ValueError."""
    words, target, is_append = _words(source)
    if not words:
        raise ValueError("expected a command such as 'cat /proc/interrupts', got an empty string")
    verb, *args = words
    if verb not in COMMANDS:
        raise ValueError(f"unknown command {shown(verb)}{hint(verb, COMMANDS)}")
    if verb != "echo" and target is not None:
        raise ValueError(f"only 'echo' writes to a file, got {shown(source)}")
    if verb == "cat":
        if not args:
            raise ValueError("'cat' needs the path of a file")
        return tuple(
            AtCommand("cat", _absolute(path), source=source, line=line) for path in args
        )
    if verb == "echo":
        if target is None:
            raise ValueError("'echo' needs a file to write to: echo WORDS > PATH")
        return (_echo(args, _absolute(target), is_append, source, line),)
    return (_devmem(args, source, line),)


def _echo(
    args: list[str], path: str, is_append: bool, source: str, line: int | None
) -> AtCommand:
    end = "\n"
    while args and args[0] == "-n":
        args, end = args[1:], ""
    text = " ".join(args) + end
    return AtCommand("echo", path, text, is_append, source=source, line=line)


def _devmem(args: list[str], source: str, line: int | None) -> AtCommand:
    if not 1 <= len(args) <= 3:
        raise ValueError(f"'devmem ADDRESS [WIDTH [VALUE]]', got {shown(source)}")
    numbers = [_number(arg) for arg in args]
    width = numbers[1] if len(numbers) > 1 else 32
    if width not in DEVMEM_WIDTHS:
        raise ValueError(f"expected a width of 8, 16, 32 or 64 bits, got {width}")
    value = numbers[2] if len(numbers) > 2 else None
    if value is not None and value >> width:
        raise ValueError(f"expected a value of {width} bits, got {args[2]}")
    return AtCommand(
        "devmem", address=numbers[0], width=width, value=value, source=source, line=line
    )


def _number(text: str) -> int:
    if not re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}", text):
        raise ValueError(f"expected a number such as 0x8000000, got {shown(text)}")
    number = int(text, 16 if text[:2] in ("0x", "0X") else 10)
    if number > ADDRESS_MAX:
        raise ValueError(f"expected a number of 64 bits, got {text}")
    return number


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"expected a path from the root such as '/proc/stat', got {shown(path)}")
    if re.search(r"[*?\[]", path):
        raise ValueError(f"expected the path of one file, got the pattern {shown(path)}")
    return path


def _words(source: str) -> tuple[list[str], str | None, bool]:
    """The words of a command, the file it writes to, and whether it appends."""
    if _UNPRINTABLE.search(source):
        raise ValueError(f"a command is one line of text, got {shown(source)}")
    words: list[str] = []
    redirects: list[tuple[str, int]] = []
    is_open = False  # the last word may go on
    is_plain = False  # no part of it was quoted
    at = 0
    while at < len(source):
        found = _PIECE.match(source, at)
        if found is None:
            raise ValueError(_refusal(source[at]))
        at = found.end()
        kind = str(found.lastgroup)
        if kind == "space":
            is_open = False
        elif kind == "redirect":
            if is_open and is_plain and words[-1].isdigit():
                raise ValueError(
                    f"'{words[-1]}>' would redirect descriptor {words[-1]}; "
                    f"put a space before the '>'"
                )
            redirects.append((found.group(), len(words)))
            is_open = False
        else:
            part = found[kind]
            part = re.sub(r'\\(["\\$`])', r"\1", part) if kind == "double" else part
            if kind == "double" and re.search(r"(?<!\\)[$`]", found[kind]):
                raise ValueError(_refusal("$"))
            is_plain = kind == "plain" and (is_plain or not is_open)
            words[-1:] = [words[-1] + part] if is_open else [*words[-1:], part]
            is_open = True
    if not redirects:
        return words, None, False
    mark, index = redirects[-1]
    if len(redirects) > 1 or index >= len(words):
        raise ValueError(f"expected one file behind {mark!r}, got {shown(source)}")
    return [*words[:index], *words[index + 1 :]], words[index], mark == ">>"


def _refusal(character: str) -> str:
    if character in "'\"\\":
        return f"unfinished quotation: no closing {character}"
    return f"{character!r} means something to a shell that is not simulated; quote it"
