"""The machine's files: a table of paths, and how one is found in it.

A component of a path may be a wildcard, ``{irq}``, that stands for several names.  Directories
have no rows of their own: what leads to a file is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from irqsim.proc.errno import (
    EACCES,
    EINVAL,
    EIO,
    EISDIR,
    ENOENT,
    ENOTDIR,
    FileError,
)
from irqsim.proc.system import System

Args = tuple[str, ...]
"""What the wildcards of a path stand for."""

TRACEFS: Final = "/sys/kernel/tracing"
TRACEFS_OLD: Final = "/sys/kernel/debug/tracing"


def _components(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


@frozen
class Row:
    """A file: where it is, what it says, and what it does with what is written to it."""

    path: str
    read: Callable[[System, Args], str] | None = None
    write: Callable[[System, Args, str], None] | None = None
    truncate: Callable[[System, Args], None] | None = None
    """What opening it for `>` does, even if nothing is written."""
    is_directory: bool = False
    """An empty directory, no file at all."""
    components: tuple[str, ...] = field(init=False)

    @components.default
    def _split(self) -> tuple[str, ...]:
        return _components(self.path)


@frozen
class Wildcard:
    """What a component such as `{irq}` stands for, given the wildcards before it."""

    names: Callable[[System, Args], Sequence[str]]
    alias: Callable[[System, str], str | None] = lambda system, name: None
    """Another way to write one of the names."""

    def find(self, system: System, args: Args, component: str) -> str | None:
        """The name that is meant."""
        names = self.names(system, args)
        if component in names:
            return component
        name = self.alias(system, component)
        return name if name in names else None


class Files:
    """The files of one machine."""

    def __init__(
        self, system: System, rows: Sequence[Row], wildcards: Mapping[str, Wildcard]
    ) -> None:
        self._system = system
        self._rows = tuple(rows)
        self._wildcards = wildcards

    def read(self, path: str) -> str:
        """What `cat` prints.  Raises FileError."""
        try:
            row, args = self._find(path)
            if row.read is None:
                raise FileError(EINVAL)
            return row.read(self._system, args)
        except FileError as error:
            error.path = path
            raise

    def write(self, path: str, text: str, append: bool = False) -> None:
        """What `echo` does with `>`, or with `>>` to append.  Raises FileError."""
        try:
            row, args = self._find_to_write(path)
            if row.write is None and row.components[0] == "sys" and not _is_tracefs(row):
                raise FileError(EACCES)
            if row.truncate is not None and not append:
                row.truncate(self._system, args)
            if not text:
                return
            if row.write is None:
                raise FileError(EINVAL if _is_tracefs(row) else EIO, is_write=True)
            row.write(self._system, args, text)
        except FileError as error:
            error.path = path
            raise

    def tree(self, below: str = "") -> Iterator[tuple[str, str]]:
        """Every file below a path, and what it says.

        The paths are relative to the root; one that ends in a slash is an empty directory.
        """
        for row in self._rows:
            if row.path.startswith(below) and (row.read is not None or row.is_directory):
                for parts, args in self._expand(row, (), ()):
                    path = "/".join(parts)
                    if row.read is None:
                        yield f"{path}/", ""
                    else:
                        yield path, row.read(self._system, args)

    def _find_to_write(self, path: str) -> tuple[Row, Args]:
        """As _find(); a shell would make a file that is not there, and sysfs does not let it."""
        try:
            return self._find(path)
        except FileError as error:
            is_sysfs = path.startswith("/sys/") and not canonical(path).startswith(TRACEFS)
            if error.errno is ENOENT and is_sysfs:
                raise FileError(EACCES) from None
            raise

    def _find(self, path: str) -> tuple[Row, Args]:
        """The row of a path.  Raises FileError if there is no such file."""
        parts = _components(canonical(path))
        is_below_file = is_directory = False
        for row in self._rows:
            common = min(len(parts), len(row.components))
            args = self._match(row.components[:common], parts[:common])
            if args is None:
                continue
            if len(parts) < len(row.components) or row.is_directory:
                is_directory = is_directory or len(parts) <= len(row.components)
            elif len(parts) > len(row.components) or path.endswith("/"):
                is_below_file = True
            else:
                return row, args
        if is_directory:
            raise FileError(EISDIR)
        raise FileError(ENOTDIR if is_below_file else ENOENT)

    def _match(self, components: Sequence[str], parts: Sequence[str]) -> Args | None:
        """What the wildcards stand for if these components are those parts."""
        args: Args = ()
        for component, part in zip(components, parts, strict=True):
            wildcard = self._wildcards.get(component)
            if wildcard is not None:
                name = wildcard.find(self._system, args, part)
                if name is None:
                    return None
                args = (*args, name)
            elif component != part:
                return None
        return args

    def _expand(self, row: Row, parts: Args, args: Args) -> Iterator[tuple[Args, Args]]:
        """Every path that a row stands for."""
        if len(parts) == len(row.components):
            yield parts, args
            return
        component = row.components[len(parts)]
        wildcard = self._wildcards.get(component)
        if wildcard is None:
            yield from self._expand(row, (*parts, component), args)
        else:
            for name in wildcard.names(self._system, args):
                yield from self._expand(row, (*parts, name), (*args, name))


def canonical(path: str) -> str:
    """The path in today's tree: tracefs was once reached through debugfs."""
    parts = _components(path)
    old = _components(TRACEFS_OLD)
    if parts[: len(old)] == old:
        parts = (*_components(TRACEFS), *parts[len(old) :])
    return "/" + "/".join(parts)


def _is_tracefs(row: Row) -> bool:
    return row.path.startswith(TRACEFS)
