"""A trace that keeps its layout keeps its bytes; a part of it is a trace too."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from irqsim.trace.convert import Cut, convert
from irqsim.trace.formats import FORMATS
from irqsim.trace.output import LineStream
from irqsim.trace.reader import open_trace
from tests.test_trace_reader import LINES

NO_TEXT = re.compile(r"trace\.toggled-bin|trace_clock|trace_options.*|tracefs_.*|trace.*\.(dat|gz)")


def converted(path: Path, format: str = "trace", **options: object) -> str:
    file = io.BytesIO()
    with open_trace(str(path)) as trace:
        convert(trace, FORMATS[format], LineStream(file), **options)  # type: ignore[arg-type]
    return file.getvalue().decode("utf-8", "surrogateescape")


def test_every_text_trace_is_copied_byte_for_byte(reference: Path) -> None:
    """Headers, annotations, lost lines, stack traces and unknown events included."""
    paths = [
        path
        for path in sorted(reference.rglob("trace*"))
        if path.is_file() and not NO_TEXT.fullmatch(path.name)
    ]
    different = [
        str(path)
        for path in paths
        if converted(path) != path.read_bytes().decode("utf-8", "surrogateescape")
    ]
    assert not different
    assert len(paths) > 200


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace"
    path.write_text(LINES)
    return path


def test_a_pipe_has_no_header(trace: Path) -> None:
    assert converted(trace, "trace_pipe") == "".join(
        f"{line}\n" for line in LINES.splitlines() if not line.startswith("#")
    )


def test_nothing_is_written_as_nothing(trace: Path) -> None:
    assert converted(trace, "none") == ""


@pytest.mark.parametrize(
    ("cut", "left", "counts"),
    [
        (Cut(cpus=[0]), ["irq_handler_entry"], "1/3"),
        (Cut(cpus=[1]), ["<sta", " => handle", " => handle", "CPU:1", "tra", "two"], "2/4"),
        (Cut(events=["irq"]), ["irq_handler_entry", "CPU:1"], "1/3"),
        (Cut(from_ns=1_000_003_000), ["tra", "two"], "1/3"),
        (Cut(to_ns=1_000_002_000), ["irq_handler_entry"], "1/3"),
        (Cut(from_ns=2_000_000_000), [], "0/2"),
    ],
)  # fmt: skip
def test_a_part(trace: Path, cut: Cut, left: list[str], counts: str) -> None:
    """What is left is counted anew; as many as before were lost."""
    text = converted(trace, cut=cut)
    head, _, body = text.partition("|         |\n")
    lines = [line for line in body.splitlines() if not line.startswith("#####")]
    assert len(lines) == len(left)
    assert all(word in line for word, line in zip(left, lines, strict=True)), lines
    assert f"entries-written: {counts} " in head


def test_another_layout_is_printed_anew(trace: Path) -> None:
    text = converted(trace, layout="4.19", options=["record-tgid"])
    assert "#                                      _-----=> irqs-off\n" in text
    assert "          <idle>-0     (-----) [000] d.h.     1.000001: irq_handler_entry" in text
    assert "##### CPU 1 buffer started ####\n" in text
    assert " => handle_fasteoi_irq\nCPU:1 [LOST 12 EVENTS]\n" in text


def test_lost_events_stand_between_the_lines_of_latency_format(trace: Path) -> None:
    lines = converted(trace, options=["latency-format"]).splitlines()
    assert lines[-3:] == [
        "CPU:1 [LOST 12 EVENTS]",
        "    init-1         1.....    2us : tracing_mark_write: one",
        "two",
    ]


def run(*args: str) -> tuple[int, str, str]:
    """The command line, in a process of its own."""
    command = [sys.executable, "-m", "irqsim", *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_wrong_line_is_named_and_nothing_printed(trace: Path) -> None:
    """Neither on standard output nor in a file."""
    with trace.open("a") as file:
        file.write("          <idle>-0       [001] d.h..     1.000004: irq_handler_exit: irq=1\nx")
    out = trace.with_name("out")
    for more in ((), ("-o", str(out)), ("--layout", "4.19")):
        status, printed, said = run("convert", str(trace), *more)
        assert (status, printed) == (2, "")
        assert said.startswith(f"{trace}:22: not a line of a trace: 'x'"), said
    assert [path.name for path in trace.parent.iterdir()] == ["trace"]


def test_a_text_from_a_serial_console_is_the_same_trace(trace: Path, tmp_path: Path) -> None:
    """Its lines end with CR LF: they are copied so, and say what they said without."""
    console = tmp_path / "console"
    console.write_bytes(LINES.replace("\n", "\r\n").encode())
    assert converted(console) == LINES.replace("\n", "\r\n")
    assert converted(console, "json") == converted(trace, "json")
    console.write_bytes(console.read_bytes() + b"no return\n")
    assert converted(console).endswith("\r\nno return\n")


@pytest.mark.parametrize("command", ["convert", "import"])
def test_what_is_no_regular_file_is_written_and_not_replaced(
    trace: Path, tmp_path: Path, command: str
) -> None:
    """A pipe, /dev/stdout; and a link leads to the file that is replaced."""
    pipe, link, final = tmp_path / "pipe", tmp_path / "link", tmp_path / "final"
    os.mkfifo(pipe)
    done = subprocess.run(
        ["/bin/sh", "-c", 'cat "$0" & "$@"; wait', str(pipe), sys.executable, "-m", "irqsim",
         command, str(trace), "-o", str(pipe)],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert pipe.is_fifo()
    final.write_text("old")
    link.symlink_to(final)
    assert run(command, str(trace), "-o", str(link))[0] == 0
    assert link.is_symlink()
    assert final.read_bytes().replace(b"link.replay", b"pipe.replay") == done.stdout != b""


def test_an_output_file_is_replaced_when_it_is_complete(trace: Path) -> None:
    out = trace.with_name("out")
    out.write_text("old")
    assert run("convert", str(trace), "-o", str(out)) == (0, "", "")
    assert out.read_text() == LINES
    assert sorted(path.name for path in trace.parent.iterdir()) == ["out", "trace"]


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["-f", "tarce"], "tarce"),
        (["--cpu", "x"], "x"),
        (["--from", "soon"], "--from"),
        (["-o", "/nowhere/out"], "/nowhere/out"),
    ],
)
def test_wrong_usage_is_an_error(trace: Path, args: list[str], word: str) -> None:
    status, printed, said = run("convert", str(trace), *args)
    assert status in (1, 2)
    assert printed == ""
    assert word in said
    assert "Traceback" not in said
