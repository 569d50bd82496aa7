"""The longest waits of a log, as text and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from irqsim.analysis.explain import Wait
from irqsim.analysis.report_text import at, percent, us


def explain_text(what: str, nr_waits: int, waits: Sequence[Wait]) -> str:
    """For each wait what its time went to, and in which order."""
    lines = [f"# {what}: {nr_waits} waits, the longest first"]
    for number, wait in enumerate(waits, start=1):
        lines += ["#", *_wait(number, wait)]
    return "".join(f"{line}\n" for line in lines)


def _wait(number: int, wait: Wait) -> Iterator[str]:
    begin, end = at(wait.start_ns), at(wait.end_ns)
    where = f", line {wait.line}" if wait.line else ""
    yield f"# wait {number}: from {begin} s to {end} s, begins on CPU {wait.cpu}{where}"
    yield f"{'#':<6} {'wait':>4} {'us':>13} {'%':>7}  category"
    for category, ns in _sums(wait):
        yield f"{'sum':<6} {number:>4} {us(ns):>13} {percent(ns, wait.delay_ns):>7}  {category}"
    yield f"{'sum':<6} {number:>4} {us(wait.delay_ns):>13} {'100.00':>7}  total"
    yield f"{'#':<6} {'wait':>4} {'us':>13} {'from_s':>13} {'cpu':>4} {'line':>8}  who, category"
    for link in wait.links:
        span = link.span
        line = str(span.line) if span.line else "-"
        yield (
            f"{'chain':<6} {number:>4} {us(span.end_ns - span.start_ns):>13}"
            f" {at(span.start_ns):>13} {link.cpu:>4} {line:>8}  {span.who}: {link.category}"
        )


def _sums(wait: Wait) -> list[tuple[str, int]]:
    return sorted(wait.sums().items(), key=lambda each: (-each[1], each[0]))


def explain_object(what: str, nr_waits: int, waits: Sequence[Wait]) -> dict[str, Any]:
    """The same for programs, in ns."""
    return {"what": what, "waits": nr_waits, "longest": [_wait_object(wait) for wait in waits]}


def _wait_object(wait: Wait) -> dict[str, Any]:
    return {
        "start_ns": wait.start_ns,
        "end_ns": wait.end_ns,
        "delay_ns": wait.delay_ns,
        "cpu": wait.cpu,
        "line": wait.line or None,
        "sums_ns": dict(_sums(wait)),
        "chain": [
            {
                "start_ns": link.span.start_ns,
                "end_ns": link.span.end_ns,
                "cpu": link.cpu,
                "line": link.span.line or None,
                "who": link.span.who,
                "category": link.category,
            }
            for link in wait.links
        ],
    }
