"""Streams take whole lines, spools keep them in order, trees are complete or absent."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.errors import IrqsimError
from irqsim.trace.output import ATOMIC, SPOOL_MEMORY, LineStream, Spool, Tree, WriteError, seconds

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=60)
LINES = st.lists(TEXT, max_size=300)


class Recorder(io.RawIOBase):
    """A pipe's end, as far as a stream can tell, that keeps what each write gave it."""

    def __init__(self, reading_end: int) -> None:
        super().__init__()
        self._reading_end = reading_end
        self.writes: list[bytes] = []

    def fileno(self) -> int:
        return self._reading_end

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.writes.append(bytes(data))  # type: ignore[call-overload]  # a memoryview
        return len(self.writes[-1])


@given(LINES)
def test_each_write_into_a_pipe_is_whole_lines_and_atomic(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines) * 9
    ends = os.pipe()
    try:
        recorder = Recorder(ends[0])
        LineStream(recorder).write(text)  # type: ignore[arg-type]  # raw, as a stream wants it
    finally:
        os.close(ends[0])
        os.close(ends[1])
    assert b"".join(recorder.writes) == text.encode()
    for data in recorder.writes:
        assert len(data) <= ATOMIC
        assert not data or data.endswith(b"\n")


@given(LINES)
def test_what_is_written_into_a_file_stands_in_it(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    file = io.BytesIO()
    LineStream(file).write(text)
    assert file.getvalue() == text.encode()


def test_a_line_longer_than_a_pipe_takes_at_once_is_written_all_the_same() -> None:
    reading, writing = os.pipe()
    text = "a" * (2 * ATOMIC) + "\nb\n"
    with os.fdopen(writing, "wb", buffering=0) as file:
        LineStream(file).write(text)
    with os.fdopen(reading, "rb") as file:
        assert file.read() == text.encode()


def test_a_full_disk_is_an_error_with_its_reason() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with open("/dev/full", "wb", buffering=0) as file:
        with pytest.raises(WriteError, match=r"^write error: No space left on device$"):
            LineStream(file).write("a\n")


def test_a_reader_that_went_away_is_no_write_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as file, pytest.raises(BrokenPipeError):
        LineStream(file).write("a\n")


def test_an_output_in_non_blocking_mode_is_an_error_and_not_silence() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb", buffering=0) as file:
        with pytest.raises(WriteError, match="non-blocking"):
            LineStream(file).write("a\n" * 1_000_000)


@pytest.mark.parametrize("size", [0, 10, SPOOL_MEMORY - 5, SPOOL_MEMORY * 2])
def test_a_spool_gives_back_what_it_was_given(size: int) -> None:
    lines = "".join(f"{number}\n" for number in range(size // 7))
    spool, file = Spool(), io.BytesIO()
    spool.write(lines)
    spool.write("±\n")
    spool.copy_to(LineStream(file))
    assert file.getvalue().decode() == f"{lines}±\n"


def test_a_tree_appears_when_it_is_complete(tmp_path: Path) -> None:
    final = tmp_path / "out"
    with Tree(final) as tree:
        tree.add("/proc/irq/24/smp_affinity", "f\n")
        tree.add("dmesg", "")
        tree.add("proc/irq/24/uart/", "")
        assert not final.exists()
    assert (final / "proc/irq/24/smp_affinity").read_bytes() == b"f\n"
    assert (final / "proc/irq/24/uart").is_dir()
    assert (final / "dmesg").read_bytes() == b""
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [IrqsimError, KeyboardInterrupt, SystemExit])
def test_a_tree_that_is_not_finished_leaves_nothing(
    tmp_path: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), Tree(tmp_path / "out") as tree:
        tree.add("trace", "a\n")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_tree_has_the_permissions_of_the_users_other_directories(tmp_path: Path) -> None:
    (tmp_path / "usual").mkdir()
    with Tree(tmp_path / "out") as tree:
        tree.add("trace", "a\n")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_an_empty_directory_may_become_a_tree(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with Tree(tmp_path / "out") as tree:
        tree.add("trace", "a\n")
    assert (tmp_path / "out/trace").exists()


def _a_file(path: Path) -> None:
    path.write_text("mine\n")


def _a_full_directory(path: Path) -> None:
    path.mkdir()
    _a_file(path / "mine")


def _a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [_a_file, _a_full_directory, _a_dangling_link])
def test_what_is_there_already_is_not_overwritten(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "out")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(IrqsimError, match="exists already"):
        Tree(tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_directory_that_fills_up_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(WriteError), Tree(tmp_path / "out") as tree:
        tree.add("trace", "a\n")
        _a_full_directory(tmp_path / "out")
    assert (tmp_path / "out/mine").read_text() == "mine\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_tree_needs_a_place(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="No such file or directory"):
        with Tree(tmp_path / "nowhere/out"):
            pass


@pytest.mark.parametrize("path", ["../a", "proc/../../a", "", "/", "."])
def test_no_file_leaves_its_tree(tmp_path: Path, path: str) -> None:
    with pytest.raises(IrqsimError, match="not a path inside"), Tree(tmp_path / "out") as tree:
        tree.add(path, "a\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [(0, "0.000000"), (10_000_000, "0.010000"), (1_000_000_999, "1.000000"),
     (3_600_000_000_001_999, "3600000.000001")],
)  # fmt: skip
def test_a_snapshots_time_is_in_seconds_with_six_decimals(time_ns: int, text: str) -> None:
    assert seconds(time_ns) == text


def test_buffered_files_are_written_past_their_buffer(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb") as file:
        stream: BinaryIO = file
        LineStream(stream).write("a\n")
        assert (tmp_path / "a").read_bytes() == b"a\n"
