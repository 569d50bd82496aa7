"""Where what was made goes: a stream of whole lines, or a tree of files on disk.

A log's header counts its records and stands before them, although the count is known only
when the run is over: the lines wait in a spool, which is memory while they are few and an
unnamed temporary file when they are many.  A tree is written beside its final name and
renamed, so that it is complete or absent.
"""

from __future__ import annotations

import os
import select
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from irqsim.errors import IrqsimError

SPOOL_MEMORY: Final = 1 << 20
"""How many bytes of a log wait in memory before they wait on disk."""

BLOCK: Final = 1 << 18
"""Bytes that are copied from the spool at a time."""

ATOMIC: Final = getattr(select, "PIPE_BUF", 4096)
"""A write of up to so many bytes into a pipe happens whole or not at all.

Source: POSIX.1, write(): {PIPE_BUF}.
"""


class WriteError(IrqsimError):
    """Output that could not be written; the message says why."""


class LineStream:
    """A binary file that takes whole lines, in UTF-8.

    A write into a regular file is not interrupted.  One into a pipe is, when a signal comes
    while the reader is slow: there the text goes in pieces that end with a line and are
    small enough to be written whole or not at all.  So a run that is interrupted at any
    time has printed whole lines.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Write to `file`, past its buffer if it has one (which is empty)."""
        self._file = getattr(file, "raw", file)
        self._piece_max = BLOCK if _is_regular(file) else ATOMIC

    def write(self, text: str) -> None:
        """Write whole lines."""
        self.write_bytes(text.encode("utf-8", "surrogateescape"))

    def write_bytes(self, data: bytes) -> None:
        """Write whole lines.

        Raises BrokenPipeError if the reader went away, WriteError for all else.
        """
        try:
            for piece in _pieces(data, self._piece_max):
                _write_all(self._file, piece)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise write_error(error) from error


class Spool:
    """Lines that wait until they can be written, in constant memory."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(SPOOL_MEMORY)
        self.is_used = False
        """Something waits."""

    def write(self, text: str) -> None:
        """Keep whole lines."""
        self.is_used = self.is_used or bool(text)
        try:
            self._file.write(text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise write_error(error, "temporary file") from error

    def copy_to(self, stream: LineStream) -> None:
        """Write all that was kept, and forget it."""
        self._file.seek(0)
        while block := self._file.read(BLOCK):
            stream.write_bytes(block + self._file.readline())
        self._file.close()


class WholeFile:
    """A file that appears under its name when it is complete, and then replaces another.

    What is there and is no regular file - a pipe, a device such as /dev/stdout - is written
    as it is, and never replaced; of a link, what it leads to is replaced.
    As a context manager: gives its stream; removed if an exception leaves the block.
    """

    def __init__(self, final: Path) -> None:
        self.name = final
        self._beside: Path | None = None

    def __enter__(self) -> LineStream:
        try:
            if _is_special(self.name):
                self._file = self.name.open("wb", buffering=0)
                return LineStream(self._file)
            self.final = self.name.resolve()
            self._beside = Path(tempfile.mkdtemp(prefix=".irqsim-", dir=self.final.parent))
            self._file = (self._beside / "file").open("wb", buffering=0)
        except OSError as error:
            raise write_error(error, str(self.name)) from error
        return LineStream(self._file)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
            if error is None and self._beside is not None:
                (self._beside / "file").replace(self.final)
        except OSError as problem:
            raise write_error(problem, str(self.name)) from problem
        finally:
            if self._beside is not None:
                shutil.rmtree(self._beside, ignore_errors=True)


class Tree:
    """A directory of text files that appears under its name when it is complete.

    As a context manager: renamed at the end, removed if an exception leaves the block.
    """

    def __init__(self, final: Path) -> None:
        """Refuse what exists already, unless it is an empty directory."""
        self.final = final
        if _is_taken(final):
            raise IrqsimError(f"{final}: exists already; name a new directory, or an empty one")

    def __enter__(self) -> Tree:
        try:
            self._beside = Path(tempfile.mkdtemp(prefix=".irqsim-", dir=self.final.parent))
            # Made by mkdir, this one has the user's permissions, which mkdtemp's has not.
            self.root = self._beside / "tree"
            self.root.mkdir()
        except OSError as error:
            raise write_error(error, str(self.final)) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.root.rename(self.final)
        except OSError as problem:
            raise write_error(problem, str(self.final)) from problem
        finally:
            shutil.rmtree(self._beside, ignore_errors=True)

    def create(self, path: str) -> BinaryIO:
        """Open the file of that path (a leading slash is the tree's root) for writing."""
        place = self._place(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            return place.open("wb", buffering=0)
        except OSError as error:
            raise write_error(error, path) from error

    def add(self, path: str, text: str) -> None:
        """Write a whole file; a path that ends in a slash is a directory."""
        if path.endswith("/"):
            try:
                self._place(path).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise write_error(error, path) from error
        else:
            with self.create(path) as file:
                LineStream(file).write(text)

    def _place(self, path: str) -> Path:
        parts = [part for part in path.split("/") if part]
        if not parts or ".." in parts or "." in parts:
            raise IrqsimError(f"{path!r} is not a path inside {self.final}")
        return self.root.joinpath(*parts)


def seconds(time_ns: int) -> str:
    """A time as the directories of snapshots are named: seconds with six decimals."""
    return f"{time_ns // 1_000_000_000}.{time_ns % 1_000_000_000 // 1_000:06d}"


def write_error(error: OSError, what: str = "") -> WriteError:
    """What the user is told when the system refuses to write."""
    why = error.strerror or str(error)
    return WriteError(f"{what}: write error: {why}" if what else f"write error: {why}")


def _is_taken(path: Path) -> bool:
    """Whether something is there that a rename would destroy or fail upon."""
    if path.is_dir() and not path.is_symlink():
        return any(path.iterdir())
    return path.exists() or path.is_symlink()


def _is_special(path: Path) -> bool:
    """Whether a name leads to something that is neither a regular file nor a directory."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _is_regular(file: BinaryIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:  # Only in memory: io.UnsupportedOperation is an OSError.
        return True


def _pieces(data: bytes, piece_max: int) -> Iterator[memoryview]:
    """Cut into pieces of at most `piece_max` bytes that end with a line where one ends."""
    view = memoryview(data)
    start = 0
    while len(data) - start > piece_max:
        end = data.rfind(b"\n", start, start + piece_max) + 1
        if end == 0:
            end = start + piece_max
        yield view[start:end]
        start = end
    yield view[start:]


def _write_all(file: BinaryIO, piece: memoryview) -> None:
    while piece:
        written = file.write(piece)
        if written is None:
            raise BlockingIOError("the output is in non-blocking mode and does not take more")
        piece = piece[written:]
