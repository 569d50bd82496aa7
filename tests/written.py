"""A trace in a format, as bytes in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence

from irqsim.records import Lost, Record, TraceHeader
from irqsim.trace.formats import FORMATS, open_log
from irqsim.trace.ftrace import TextFormat
from irqsim.trace.output import LineStream
from irqsim.trace.target import Target


def written(
    format: str,
    items: Sequence[Record | Lost],
    header: TraceHeader | None = None,
    options: tuple[str, ...] = (),
    batch: int = 7,
) -> bytes:
    """What a format's writer makes of these items, given in batches."""
    said = TraceHeader() if header is None else header
    out = io.BytesIO()
    target = Target(LineStream(out), lambda: TextFormat(said.layout), lambda: said, options)
    log = open_log(FORMATS[format], target)
    for start in range(0, len(items), batch):
        log.add(items[start : start + batch])
    log.finish()
    return out.getvalue()
