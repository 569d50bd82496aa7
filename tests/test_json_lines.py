"""JSON lines say all that a record says."""

from __future__ import annotations

import json
from pathlib import Path

from irqsim.events import FIRST, HARDIRQ, IRQ_HANDLER_ENTRY, IRQS_OFF, EventTable
from irqsim.records import UNKNOWN_TGID, Lost, Record, TraceHeader
from irqsim.trace.parse import LineParser, classify
from tests.written import written

TABLE = EventTable()


def entry(tgid: int = UNKNOWN_TGID) -> Record:
    context = TABLE.context("app", 7, tgid, 2, IRQS_OFF | HARDIRQ, 0)
    return 1_000_001, context, TABLE.intern(IRQ_HANDLER_ENTRY, 24, 'et"h0')


def test_a_record_is_an_object_with_who_and_what() -> None:
    assert [json.loads(line) for line in written("json", [entry()]).splitlines()] == [
        {
            "time_ns": 1_000_001,
            "cpu": 2,
            "comm": "app",
            "pid": 7,
            "flags": "d.h..",
            "event": "irq:irq_handler_entry",
            "fields": {"irq": 24, "name": 'et"h0'},
        }
    ]


def test_what_is_not_known_is_not_said() -> None:
    header = TraceHeader(has_irq_info=False)
    (said,) = (json.loads(line) for line in written("json", [entry(tgid=5)], header).splitlines())
    assert "flags" not in said
    assert said["tgid"] == 5


def test_lost_events_are_objects_of_their_own() -> None:
    lines = written("json", [Lost(1, 12), Lost(0, 0)]).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"cpu": 1, "lost": 12},
        {"cpu": 0, "lost": None},
    ]


def test_every_line_of_a_capture_is_an_object(reference: Path) -> None:
    path = reference / "captures" / "arm64-gicv3-4cpu-allevents" / "trace"
    lines = path.read_text("utf-8", "surrogateescape").splitlines()
    parser = LineParser()
    records = [parser.parse(line) for line in lines if classify(line) == "event"]
    said = [json.loads(line) for line in written("json", records, batch=1000).splitlines()]
    assert [each["time_ns"] for each in said] == [record[0] for record in records]
    declared = [
        (each["event"], record)
        for each, record in zip(said, records, strict=True)
        if record[2].tracepoint.since >= FIRST and ":" in each["event"]
    ]
    assert all(
        name == f"{record[2].tracepoint.system}:{record[2].tracepoint.name}"
        for name, record in declared
    )
