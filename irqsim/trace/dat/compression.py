"""How the pieces of a trace.dat are compressed.

zlib is Python's own; zstd is what trace-cmd prefers and what Python has only since 3.14, so
it comes with an optional package.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TypeAlias

from irqsim.errors import TraceFormatError

Decompress: TypeAlias = Callable[[bytes, int], bytes]
"""(packed, size) -> unpacked.  Raises ValueError."""


def decompressor(algorithm: str, name: str) -> Decompress:
    """By the name that the file gives.  Raises TraceFormatError for one that is not there."""
    if algorithm == "none":
        return as_it_is
    if algorithm == "zlib":
        return _unzip
    if algorithm == "zstd":
        try:
            import zstandard  # noqa: F401
        except ImportError:
            why = "compressed with zstd, for which the package zstandard is missing:"
            raise TraceFormatError(name, None, f"{why} pip install 'irqsim[zstd]'") from None
        return _unpack_zstd
    raise TraceFormatError(name, None, f"compressed with {algorithm!r}, expected zlib or zstd")


def as_it_is(data: bytes, size: int) -> bytes:
    """Nothing was compressed."""
    return data


def _unzip(data: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, size)
    except zlib.error as error:
        raise ValueError(str(error)) from error


def _unpack_zstd(data: bytes, size: int) -> bytes:
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            unpacked: bytes = reader.read(size)
            return unpacked
    except (zstandard.ZstdError, MemoryError) as error:
        raise ValueError(str(error)) from error
