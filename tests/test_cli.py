"""The command line keeps its contract: where things go, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from irqsim.cli.main import COMMANDS
from tests.command_line import COMMAND, TIMEOUT_S, environment, irqsim, irqsim_process, shell

TINY = """
[[device]]
name = "uart"
spi = 1
affinity = [0]
arrivals = ["1ms", "2ms", "3ms"]
handler = ["run 4us"]
"""
ENDLESS = """
[run]
duration = "100000s"
[[device]]
name = "uart"
spi = 1
trigger = "edge"
arrivals = { every = "20us" }
"""
PANIC = """
[[device]]
name = "uart"
spi = 1
arrivals = ["1ms", "2ms"]
handler = ["run 4us", "panic out of paper"]
"""
SNAPSHOT = """
[[at]]
time = "1500us"
do = ["cat /proc/interrupts"]
"""
LINE = re.compile(r" {10}<idle>-0 {7}\[000\] d\.h\.\. {5}0\.00\d{4}: irq_handler_\w+: irq=\d+ .*")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path


def lines_of(trace: str) -> list[str]:
    return [line for line in trace.splitlines() if not line.startswith("#")]


# -- every command -----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_ends_with_an_example_that_works(command: str, tmp_path: Path) -> None:
    told = irqsim(*command.split(), "--help")
    assert (told.returncode, told.stderr) == (0, "")
    examples = told.stdout.rpartition("\n  Example:\n")[2].splitlines()
    assert examples
    (tmp_path / "bin").mkdir()
    done = shell("\n".join(examples), tmp_path, tmp_path / "bin")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_version_is_the_packages() -> None:
    told = irqsim("--version")
    assert re.fullmatch(r"irqsim (\d+\.\d+\.\d+|\(not installed\))\n", told.stdout)


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        (["rum", "a.toml"], "did you mean 'run'?"),
        (["run"], "Missing argument 'SCENARIO'"),
        (["run", "a.toml", "--sed", "3"], "--seed"),
        (["run", "a.toml", "-f", "trace_pip"], "did you mean 'trace_pipe'?"),
        (["run", "a.toml", "-f", "xml"], "expected one of trace, trace_pipe, trace.dat"),
        (["run", "a.toml", "-O", "noirqinfo"], "did you mean 'noirq-info'?"),
        (["run", "a.toml", "--layout", "6.11"], "did you mean '6.1"),
        (["run", "a.toml", "-o", "-"], "needs a directory"),
        (["run", "a.toml", "-o", "out", "--cat", "/proc/stat"], "--cat"),
        (["list", "stepz"], "'steps'"),
        (["new"], "irqsim new --list"),
        (["validate"], "Missing argument 'SCENARIO...'"),
    ],
)
def test_wrong_usage_is_named_with_what_was_meant(args: list[str], meant: str) -> None:
    done = irqsim(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert meant in done.stderr


def test_nothing_depends_on_terminal_locale_time_zone_or_hash_seed(tiny: Path) -> None:
    for args in (["run", "tiny.toml"], ["run", "--help"], ["list", "steps"]):
        told = irqsim_process(*args, cwd=tiny)
        for env in (
            {"COLUMNS": "20", "TERM": "dumb", "NO_COLOR": "1"},
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LANGUAGE": "de"},
            {"TZ": "Asia/Seoul", "PYTHONHASHSEED": "1"},
            {"PYTHONHASHSEED": "2", "PYTHONIOENCODING": "latin-1"},
        ):
            assert irqsim_process(*args, cwd=tiny, env=env) == told


# -- run: what is printed ----------------------------------------------------------------


def test_a_run_prints_the_log_and_nothing_else(tiny: Path) -> None:
    done = irqsim("run", "tiny.toml", cwd=tiny)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "# tracer: nop\n#\n# entries-in-buffer/entries-written: 6/6   #P:4\n#\n"
    )
    lines = lines_of(done.stdout)
    assert len(lines) == 6
    assert all(LINE.fullmatch(line) for line in lines)


def test_a_scenario_may_come_from_standard_input(tiny: Path) -> None:
    assert irqsim("run", "-", stdin=TINY).stdout == irqsim("run", "tiny.toml", cwd=tiny).stdout


def test_trace_pipe_has_the_lines_without_the_header(tiny: Path) -> None:
    trace = irqsim("run", "tiny.toml", cwd=tiny)
    pipe = irqsim("run", "-f", "trace_pipe", "tiny.toml", cwd=tiny)
    assert pipe.stdout.splitlines() == lines_of(trace.stdout)


def test_a_format_of_none_prints_nothing(tiny: Path) -> None:
    done = irqsim("run", "-f", "none", "tiny.toml", cwd=tiny)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_header_counts_a_log_that_waits_on_disk() -> None:
    done = irqsim("run", "-", "--duration", "400ms", stdin=ENDLESS)
    counted = re.search(r"entries-written: (\d+)/(\d+)   #P:4\n", done.stdout)
    assert counted is not None
    assert len(done.stdout) > 2_000_000
    assert [int(counted[1]), int(counted[2])] == [len(lines_of(done.stdout))] * 2


def test_a_limited_buffer_keeps_the_newest_and_counts_all() -> None:
    args = ("run", "-", "--duration", "40ms")
    all_of_it = lines_of(irqsim(*args, stdin=ENDLESS).stdout)
    done = irqsim(*args, "--set", "trace.buffer_size_kb=8", stdin=ENDLESS)
    kept = lines_of(done.stdout)
    assert 0 < len(kept) < len(all_of_it)
    assert kept == all_of_it[-len(kept) :]
    assert f"entries-written: {len(kept)}/{len(all_of_it)}   " in done.stdout


def test_options_of_the_trace_change_its_lines(tiny: Path) -> None:
    def first(*args: str) -> str:
        return lines_of(irqsim("run", *args, "tiny.toml", cwd=tiny).stdout)[0]

    assert "] d.h.. " in first()
    assert "] d.h. " in first("--layout", "4.19")
    assert "] d..h... " in first("--layout", "6.1-rt")
    assert re.search(r"\[000\]  +0\.00", first("-O", "noirq-info"))
    assert " (-------) [000]" in first("-O", "record-tgid")
    assert "  <idle>-0         0d.h.. 1001us" in first("-O", "latency-format")
    assert first("-O", "noirq-info", "-O", "irq-info") == first()


def test_events_are_chosen_as_in_set_event(tiny: Path) -> None:
    done = irqsim("run", "-e", "irq_handler_entry", "-e", "sched", "tiny.toml", cwd=tiny)
    assert "irq_handler_entry" in done.stdout
    assert "irq_handler_exit" not in done.stdout


def test_values_are_overridden(tiny: Path) -> None:
    set_all = ("--set", "device.uart.spi=7", "--set", 'device.uart.name="tty S0"')
    done = irqsim("run", *set_all, "--duration", "2500us", "--seed", "9", "tiny.toml", cwd=tiny)
    assert len(lines_of(done.stdout)) == 4
    assert "name=tty S0\n" in done.stdout


def test_a_wrong_override_is_named_as_one(tiny: Path) -> None:
    done = irqsim("run", "--set", "run.sed=3", "--duration", "soon", "tiny.toml", cwd=tiny)
    assert (done.returncode, done.stdout) == (2, "")
    assert "run.sed: " in done.stderr and "did you mean 'seed'?" in done.stderr
    assert "run.duration: " in done.stderr and "'soon'" in done.stderr


def test_verbose_says_how_to_have_the_same_run_again(tiny: Path) -> None:
    done = irqsim("run", "-v", "--seed", "7", "tiny.toml", cwd=tiny)
    assert re.match(r"irqsim: tiny\.toml: seed 7; 4 arm64 CPUs", done.stderr)


def test_progress_goes_to_standard_error() -> None:
    args = ("run", "-f", "none", "--duration", "200ms", "-")
    assert irqsim(*args, stdin=ENDLESS).stderr == ""
    assert "%" in irqsim(*args, "--progress", stdin=ENDLESS).stderr


# -- run: files of the machine -----------------------------------------------------------


def test_files_are_printed_in_the_order_in_which_they_are_asked_for(tiny: Path) -> None:
    interrupts = "/proc/interrupts"
    paths = ("/proc/softirqs", f"{interrupts}@2500us", interrupts, f"{interrupts}@500us")
    cats = [word for path in paths for word in ("--cat", path)]
    done = irqsim("run", "tiny.toml", *cats, cwd=tiny)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.index("NET_RX") < done.stdout.index("uart")
    counts = re.findall(r"^ *\d+: +(\d+) .*uart$", done.stdout, re.MULTILINE)
    assert counts == ["2", "3", "0"]


def test_a_snapshot_sees_what_the_operator_typed_at_its_time() -> None:
    scenario = TINY + '[[at]]\ntime = "1ms"\ndo = ["echo 2 > /proc/irq/uart/smp_affinity"]\n'
    done = irqsim("run", "--cat", "/proc/irq/uart/smp_affinity@1ms", "-", stdin=scenario)
    assert (done.returncode, done.stdout) == (0, "2\n")


@pytest.mark.parametrize(
    ("path", "status"), [("/proc/nothing", 2), ("proc/stat", 2), ("/proc/stat@soon", 2)]
)
def test_a_file_that_cannot_be_printed_is_an_error(tiny: Path, path: str, status: int) -> None:
    done = irqsim("run", "--cat", path, "tiny.toml", cwd=tiny)
    assert (done.returncode, done.stdout) == (status, "")
    assert path.split("@")[0] in done.stderr or "soon" in done.stderr


def test_a_file_of_a_time_after_the_end_is_an_error(tiny: Path) -> None:
    args = ("run", "--duration", "2ms", "--cat", "/proc/stat@2s", "tiny.toml")
    done = irqsim(*args, cwd=tiny)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the run ends at 2ms" in done.stderr


def test_a_tree_holds_the_machines_files(tmp_path: Path) -> None:
    done = irqsim("run", "-o", "out", "-", stdin=TINY + SNAPSHOT, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    trace = irqsim("run", "-", stdin=TINY + SNAPSHOT).stdout
    assert (tmp_path / "out/trace").read_text() == trace
    for name in ("proc/interrupts", "proc/softirqs", "dmesg", "at/0.001500/proc/interrupts"):
        assert (tmp_path / "out" / name).is_file()
    assert list((tmp_path / "out/proc/irq").glob("*/smp_affinity"))


def test_a_tree_has_the_trace_in_the_format_that_is_asked_for(tmp_path: Path) -> None:
    irqsim("run", "-o", "out", "-f", "trace_pipe", "-", stdin=TINY, cwd=tmp_path)
    pipe = irqsim("run", "-f", "trace_pipe", "-", stdin=TINY).stdout
    assert (tmp_path / "out/trace_pipe").read_text() == pipe
    assert not (tmp_path / "out/trace").exists()


def test_a_tree_does_not_take_the_place_of_another(tiny: Path) -> None:
    irqsim("run", "-o", "out", "tiny.toml", cwd=tiny)
    before = (tiny / "out/trace").stat()
    done = irqsim("run", "-o", "out", "tiny.toml", cwd=tiny)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("irqsim: out: exists already")
    assert (tiny / "out/trace").stat() == before


def test_snapshots_that_nobody_keeps_are_mentioned() -> None:
    done = irqsim("run", "-", stdin=TINY + SNAPSHOT)
    assert done.stderr == "irqsim: 1 snapshot taken; -o DIR keeps them\n"
    assert irqsim("run", "-q", "-", stdin=TINY + SNAPSHOT).stderr == ""


def test_a_refused_write_is_reported_as_by_a_shell_and_the_run_goes_on() -> None:
    scenario = TINY + '[[at]]\ntime = "1ms"\ndo = ["echo 0 > /proc/irq/uart/smp_affinity"]\n'
    done = irqsim("run", "-", stdin=scenario)
    assert (done.returncode, len(lines_of(done.stdout))) == (0, 6)
    assert "write error: Invalid argument" in done.stderr


# -- how it ends -------------------------------------------------------------------------


def test_every_fault_of_a_scenario_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('[run]\nsed = 1\n\n[[device]]\nspi = "one"\n')
    for command in ("run", "validate"):
        done = irqsim(command, "bad.toml", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        places = [line.split(": ")[0] for line in done.stderr.splitlines()]
        assert places == ["bad.toml:2", "bad.toml:4", "bad.toml:5"]
    done = irqsim("run", "-", stdin="[run]\nsed = 1\n")
    assert done.stderr.startswith("stdin:2: run.sed: ")


@pytest.mark.parametrize(
    "scenario",
    [b"\xff\xfe", b"\0", b"[", b"a = " + b"[" * 10_000, b"run = 1", b"device = {}",
     b"[run]\nduration = '" + b"9" * 5_000 + b"s'", b"[machine]\ncpus = 99999999999999999999"],
)  # fmt: skip
def test_no_input_makes_a_traceback(scenario: bytes) -> None:
    done = irqsim("run", "-", stdin=scenario)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("stdin")


def test_a_scenario_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    for name, why in (("nowhere.toml", "No such file or directory"), (".", "Is a directory")):
        done = irqsim("run", name, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"{name}: cannot be read: {why}\n"


def test_a_wrong_scenario_leaves_no_tree(tmp_path: Path) -> None:
    assert irqsim("run", "-o", "out", "-", stdin="[run]\nsed = 1", cwd=tmp_path).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_panic_ends_the_run_and_keeps_the_log(tmp_path: Path) -> None:
    done = irqsim("run", "-", stdin=PANIC)
    assert done.returncode == 3
    assert "Kernel panic - not syncing: out of paper" in done.stderr
    assert ["irq_handler_entry" in line for line in lines_of(done.stdout)] == [True]
    assert irqsim("run", "-o", "out", "-", stdin=PANIC, cwd=tmp_path).returncode == 3
    assert (tmp_path / "out/trace").read_text() == done.stdout
    quiet = irqsim("run", "-q", "-", stdin=PANIC)
    assert (quiet.returncode, quiet.stderr) == (3, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize(
    "args",
    [("run", "-"), ("run", "-f", "trace_pipe", "-"), ("run", "--cat", "/proc/stat", "-"),
     ("--help",), ("list", "steps"), ("schema",), ("new", "minimal")],
)  # fmt: skip
def test_a_full_disk_is_an_error(args: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, *args], input=TINY.encode(), stdout=full, stderr=subprocess.PIPE,
            env=environment(), timeout=TIMEOUT_S,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == b"irqsim: write error: No space left on device\n"


@pytest.mark.parametrize("args", [("run", "-f", "trace_pipe"), ("run", "--duration", "200ms")])
def test_a_reader_that_goes_away_ends_it_quietly(args: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "endless.toml").write_text(ENDLESS)
    with subprocess.Popen(
        [*COMMAND, *args, "endless.toml"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=tmp_path, env=environment(),
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait(TIMEOUT_S)) == (b"", 141)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_what_an_interrupted_run_has_printed_is_whole_lines(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    (tmp_path / "endless.toml").write_text(ENDLESS)
    with subprocess.Popen(
        [*COMMAND, "run", "-f", "trace_pipe", "endless.toml"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, cwd=tmp_path, env=environment(),
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        # From now on nobody reads: the signal finds it in the middle of a write.
        first = process.stdout.readline()
        process.send_signal(number)
        rest = process.stdout.read()
        assert (process.stderr.read().strip(), process.wait(TIMEOUT_S)) == (b"", status)
    assert all(LINE.fullmatch(line) for line in (first + rest).decode().splitlines())
    assert rest.endswith(b"\n")


def test_an_interrupted_run_leaves_no_tree(tmp_path: Path) -> None:
    (tmp_path / "endless.toml").write_text(ENDLESS)
    with subprocess.Popen(
        [*COMMAND, "run", "-v", "-o", "out", "endless.toml"], stderr=subprocess.PIPE,
        cwd=tmp_path, env=environment(),
    ) as process:  # fmt: skip
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 143
    assert [path.name for path in tmp_path.iterdir()] == ["endless.toml"]


@pytest.mark.skipif(os.name != "posix", reason="descriptors are closed as in a POSIX shell")
def test_closed_descriptors_are_errors_and_no_tracebacks(tiny: Path) -> None:
    (tiny / "bin").mkdir()
    script = "irqsim run tiny.toml >&- || echo $? >&2; irqsim run tiny.toml 2>&- | tail -n 1"
    done = shell(script, tiny, tiny / "bin")
    assert done.stderr == "irqsim: write error: Bad file descriptor\n1\n"
    assert "irq_handler_exit" in done.stdout
    done = shell("irqsim run - <&-", tiny, tiny / "bin")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("stdin: cannot be read: ")


# -- the other commands ------------------------------------------------------------------


def test_validate_is_silent_about_what_is_right_and_goes_through_all(tmp_path: Path) -> None:
    for name, text in (("a", TINY), ("b", "[run]\nsed = 1"), ("c", TINY), ("d", "x = 1")):
        (tmp_path / f"{name}.toml").write_text(text)
    assert irqsim("validate", "a.toml", "c.toml", cwd=tmp_path).stderr == ""
    done = irqsim("validate", *(f"{name}.toml" for name in "abcd"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line[:8] for line in done.stderr.splitlines()] == ["b.toml:2", "d.toml:1"]


def test_every_template_is_a_scenario_that_runs() -> None:
    names = [row["name"] for row in json.loads(irqsim("new", "--list", "--json").stdout)]
    assert names
    for name in names:
        text = irqsim("new", name).stdout
        assert text.startswith("# ")
        done = irqsim("run", "-q", "-", stdin=text)
        assert (done.returncode, done.stderr) == (0, "")
        assert lines_of(done.stdout)


def test_a_new_scenario_does_not_overwrite_a_file(tmp_path: Path) -> None:
    assert irqsim("new", "minimal", "-o", "a.toml", cwd=tmp_path).returncode == 0
    assert (tmp_path / "a.toml").read_text() == irqsim("new", "minimal").stdout
    (tmp_path / "a.toml").write_text("mine")
    done = irqsim("new", "minimal", "-o", "a.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "irqsim: a.toml: exists already\n")
    assert (tmp_path / "a.toml").read_text() == "mine"


def test_an_unknown_template_is_named_with_what_was_meant() -> None:
    done = irqsim("new", "minmal")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'minimal'?" in done.stderr


WHATS = ("events", "softirqs", "invariants", "steps", "costs", "releases", "formats")


@pytest.mark.parametrize("what", WHATS)
def test_a_table_has_the_same_rows_in_json(what: str) -> None:
    text, data = irqsim("list", what).stdout, irqsim("list", what, "--json").stdout
    rows = json.loads(data)
    assert len(rows) == len(text.splitlines())
    for row, line in zip(rows, text.splitlines(), strict=True):
        at = 0
        for cell in row.values():
            at = line.index(cell.strip(), at) + len(cell)


def test_the_schema_is_json() -> None:
    schema = json.loads(irqsim("schema").stdout)
    assert "device" in schema["properties"]
