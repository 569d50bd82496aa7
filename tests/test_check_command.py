"""`irqsim check` names what is wrong, with its line, and says what it could not see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from irqsim.analysis.check import INVARIANTS
from irqsim.analysis.trace_check import TraceCheck
from irqsim.trace.reader import open_trace
from tests.command_line import irqsim

HEAD = "# tracer: nop\n#\n# entries-in-buffer/entries-written: {}/{}   #P:{}\n#\n"
LINE = "          <idle>-0       [{:03d}] {} {:5d}.{:06d}: {}\n"
MONITOR = """
[[monitor]]
name = "a_uart_owes_a_raise"
law = "The uart's handler raises TASKLET."
scope = "CPU"
start = "quiet"
moves.quiet = { handler = "owes", raise = "quiet" }
moves.owes = { raise = "quiet" }
within.owes = "5us"

[monitor.events]
handler = { event = "irq_handler_entry", match = { name = "uart*" } }
raise = { event = "softirq_raise", match = { vec = "TASKLET" } }
"""


def line(us: int, event: str, cpu: int = 0, flags: str = "d.h..") -> str:
    return LINE.format(cpu, flags, 0, us, event)


def served(us: int, irq: int = 24, ret: str = "handled") -> str:
    return line(us, f"irq_handler_entry: irq={irq} name=uart") + line(
        us + 1, f"irq_handler_exit: irq={irq} ret={ret}"
    )


GOOD = served(10)
BROKEN = GOOD + line(12, "irq_handler_entry: irq=24 name=uart") + line(
    13, "irq_handler_exit: irq=25 ret=handled"
)


def test_a_good_trace_is_passed_over_in_silence() -> None:
    done = irqsim("check", "-", stdin=GOOD)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("stdin: 2 records of 1 CPU, 0 violations, 0 warnings; ")


def test_a_violation_names_file_line_law_what_and_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "trace").write_text(HEAD.format(4, 4, 1) + BROKEN)
    done = irqsim("check", "-q", "trace", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == ""
    first = done.stdout.splitlines()[0]
    assert first.startswith(
        "trace:8: irq_handler_exit_closes_its_entry: CPU 0, <idle>-0: irq_handler_exit irq=25 "
    )
    law = next(each for each in INVARIANTS if each.name == "irq_handler_exit_closes_its_entry")
    assert first.endswith(f"; expected: {law.law}")


def test_one_law_alone_and_its_twin_in_json() -> None:
    rule = "irq_handler_exit_closes_its_entry"
    done = irqsim("check", "--rule", rule, "--json", "-", stdin=BROKEN)
    assert done.returncode == 1
    (found,) = json.loads(done.stdout)
    assert (found["file"], found["line"], found["rule"]) == ("stdin", 4, rule)
    assert (found["severity"], found["cpu"], found["time_ns"]) == ("violation", 0, 13_000)
    assert json.loads(irqsim("check", "--json", "-", stdin=GOOD).stdout) == []


def test_a_law_with_exceptions_gives_a_warning() -> None:
    text = line(1, "main: hello") + LINE.format(0, ".....", 0, 2, "main: hello").replace(
        "<idle>-0 ", "migration/1-20"
    )
    rule = ("--rule", "percpu_threads_stay_on_their_cpu", "-")
    done = irqsim("check", *rule, stdin=text)
    assert done.returncode == 0
    assert ":2: warning: percpu_threads_stay_on_their_cpu: " in done.stdout
    assert irqsim("check", "--strict", *rule, stdin=text).returncode == 1


def test_the_laws_are_listed_as_by_list() -> None:
    listed = irqsim("list", "invariants").stdout
    assert irqsim("check", "--list").stdout == listed
    assert len(listed.splitlines()) == len(INVARIANTS)
    as_json = irqsim("list", "invariants", "--json").stdout
    assert irqsim("check", "--json", "--list").stdout == as_json
    assert irqsim("check", "--list", "--json").stdout == as_json
    assert irqsim("check").returncode == 2


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--rule", "hard_interrupt_do_not_nest", "-"), "did you mean 'hard_interrupts_do_"),
        (("--release", "six", "-"), "'six' is no release"),
        (("nowhere",), "nowhere: No such file or directory"),
        ((), "Missing argument"),
    ],
)
def test_wrong_usage_is_status_2_and_nothing_on_stdout(args: tuple[str, ...], said: str) -> None:
    done = irqsim("check", *args, stdin=GOOD)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_what_cannot_be_read_is_named_and_the_rest_is_checked(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("no trace\n")
    (tmp_path / "b").write_text(BROKEN)
    done = irqsim("check", "-q", "a", "b", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("a:1: ")
    assert done.stdout.startswith("b:4: ")


# -- what a trace does not say -----------------------------------------------------------


def checked(path: Path, text: str) -> TraceCheck:
    path.write_text(text)
    with open_trace(str(path)) as trace:
        check = TraceCheck(trace.header)
        for number, item in trace:
            assert check.feed(number, item) == []
    return check


def test_lost_events_are_said_and_forgiven() -> None:
    text = GOOD + line(12, "irq_handler_entry: irq=24 name=uart")
    assert irqsim("check", "-q", "-", stdin=text + served(13, 25)).returncode == 1
    done = irqsim("check", "-", stdin=text + "CPU:0 [LOST 7 EVENTS]\n" + served(13, 25))
    assert (done.returncode, done.stdout) == (0, "")
    assert "stdin: CPU 0 lost 7 records: its state was forgotten there" in done.stderr


def test_a_cpu_whose_records_begin_later_takes_back_what_is_known(tmp_path: Path) -> None:
    """A waking on a CPU whose buffer was overwritten stands nowhere."""
    waking = line(1, "sched_waking: comm=a pid=9 prio=120 target_cpu=001", flags="d....")
    wakeup = line(2, "sched_wakeup: comm=a pid=9 prio=120 target_cpu=000", flags="d....")
    late = line(
        3, "sched_switch: prev_comm=swapper/1 prev_pid=0 prev_prio=120 prev_state=R ==> "
        "next_comm=a next_pid=9 next_prio=120", cpu=1, flags="d....",
    )  # fmt: skip
    again = line(4, "sched_wakeup: comm=a pid=9 prio=120 target_cpu=000", flags="d....")
    text = waking + wakeup + late + again
    check = checked(tmp_path / "a", HEAD.format(4, 9, 2) + waking + wakeup + late)
    assert check.cpus == [0, 1]
    done = irqsim("check", "-q", "--rule", "wakeup_follows_waking", "-",
                  stdin=HEAD.format(4, 4, 2) + text)
    assert done.returncode == 1
    done = irqsim("check", "--rule", "wakeup_follows_waking", "-",
                  stdin=HEAD.format(4, 9, 2) + text)
    assert done.returncode == 0
    assert "begins in the middle: 4 of 9 records were kept" in done.stderr


def test_one_cpu_of_several_does_not_tell_of_tasks() -> None:
    wakings = "".join(
        line(us, "sched_waking: comm=a pid=9 prio=120 target_cpu=001", flags="d....")
        + line(us, "sched_wakeup: comm=b pid=8 prio=120 target_cpu=000", flags="d.h..")
        for us in (1, 2)
    )
    rule = ("check", "--rule", "wakeup_follows_waking", "-")
    assert irqsim(*rule, stdin=HEAD.format(4, 4, 1) + wakings).returncode == 1
    done = irqsim(*rule, stdin=HEAD.format(4, 4, 4) + wakings)
    assert done.returncode == 0
    assert "records of one CPU only" in done.stderr


def test_the_summary_names_what_is_missing() -> None:
    done = irqsim("check", "-", stdin=GOOD)
    assert "silent for want of " in done.stderr
    verbose = irqsim("check", "-v", "-", stdin=GOOD).stderr
    assert "stdin: napi_polls_in_net_rx is silent: no softirq_entry" in verbose


def test_the_release_decides_which_laws_hold() -> None:
    done = irqsim("check", "-v", "--release", "6.1", "-", stdin=GOOD)
    assert "softirqs_wait_for_a_runnable_ksoftirqd is silent: no softirq_raise" in done.stderr
    done = irqsim("check", "-v", "--release", "6.12", "-", stdin=GOOD)
    assert "softirqs_wait_for_a_runnable_ksoftirqd is silent: another release" in done.stderr


PRIVATE = """
[[device]]
name = "spm"
ppi = 5
arrivals = ["1ms", "2ms"]
handler = ["run 5us"]
"""

ON_RT = """
kernel = { release = "6.12", preempt = "rt" }

[[device]]
name = "low"
spi = 1
arrivals = ["1ms"]
handler = ["tasklet_schedule t"]

[[task]]
name = "urgent"
cpu = 0
policy = "fifo"
priority = 90
start = "1100us"
run = ["run 5us"]

[[tasklet]]
name = "t"
run = ["run 300us"]

[trace]
events = ["irq", "sched_switch", "sched_waking"]
"""


def test_what_a_log_does_not_say_can_be_said() -> None:
    """Which lines are per-CPU; and of 6.12, whose layout is that of every 6.12, that it is RT."""
    log = irqsim("run", "-q", "-", stdin=PRIVATE).stdout
    irq = log.split("irq=")[1].split(" ")[0]
    done = irqsim("check", "-q", "-", stdin=log)
    assert "a_line_runs_on_one_cpu_at_a_time" in done.stdout
    assert irqsim("check", "-q", "--percpu", irq, "-", stdin=log).returncode == 0
    log = irqsim("run", "-q", "-", stdin=ON_RT).stdout
    done = irqsim("check", "-q", "--release", "6.12", "-", stdin=log)
    assert "no_switch_in_an_interrupt" in done.stdout
    done = irqsim("check", "-q", "--release", "6.12", "--rt", "-", stdin=log)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_simulated_log_keeps_all_laws(tmp_path: Path) -> None:
    for name in ("contexts", "touchscreen", "linux-4.19"):
        (tmp_path / name).write_text(irqsim("run", "-q", f"traces/{name}/scenario.toml").stdout)
        done = irqsim("check", "-q", str(tmp_path / name))
        assert (name, done.returncode, done.stdout) == (name, 0, "")


# -- the user's laws ---------------------------------------------------------------------


def monitored(tmp_path: Path, text: str, log: str) -> tuple[int, str, str]:
    (tmp_path / "m.toml").write_text(text)
    (tmp_path / "trace").write_text(log)
    done = irqsim("check", "-q", "--monitor", "m.toml", "trace", cwd=tmp_path)
    return done.returncode, done.stdout, done.stderr


def test_a_monitor_is_a_law_as_the_others(tmp_path: Path) -> None:
    raised = GOOD.replace("handled\n", "handled\n" + line(
        12, "softirq_raise: vec=6 [action=TASKLET]"))
    assert monitored(tmp_path, MONITOR, raised) == (0, "", "")
    again = GOOD + line(13, "irq_handler_entry: irq=24 name=uart")
    status, out, _ = monitored(tmp_path, MONITOR, again)
    assert status == 1
    assert out.startswith("trace:3: a_uart_owes_a_raise: CPU 0, <idle>-0: irq_handler_entry ")
    late = GOOD + line(16, "softirq_raise: vec=6 [action=TASKLET]")
    status, out, _ = monitored(tmp_path, MONITOR, late)
    assert status == 1
    assert "after 6000 ns owes, and 5000 ns is the limit" in out


def test_a_monitor_may_warn_and_be_of_any_scope(tmp_path: Path) -> None:
    text = """
[[monitor]]
name = "unhandled_twice"
law = "No line is unhandled twice in a row."
scope = "irq"
warning = true
moves.good = { yes = "good", no = "bad" }
moves.bad = { yes = "good" }
start = "good"
[monitor.events]
yes = { event = "irq_handler_exit", match = { ret = "handled" } }
no = { event = "irq_handler_exit", match = { ret = "unhandled" }, cpu = [0, 1], task = "<*>" }
"""
    bad = served(10, ret="unhandled")
    log = bad + served(12) + served(14, ret="unhandled")
    assert monitored(tmp_path, text, log)[:2] == (0, "")
    status, out, _ = monitored(tmp_path, text, bad + served(12, ret="unhandled"))
    assert status == 0
    assert out.startswith("trace:4: warning: unhandled_twice: CPU 0, <idle>-0: irq 24: ")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('scope = "CPU"', 'scope = "cpu"',
         "m.toml:5: monitor[0].scope: unknown scope 'cpu'; did you mean 'CPU'?"),
        ('law = "The', 'lw = "The', "m.toml:4: monitor[0].lw: unknown key; did you mean 'law'?"),
        ("irq_handler_entry", "irq_handler_enter",
         "m.toml:12: monitor[0].events.handler.event: unknown event 'irq_handler_enter'; did you"),
        ('"TASKLET"', '"TASKLETS"', "m.toml:13: monitor[0].events.raise.match.vec: 'TASKLETS' is"),
        ("vec =", "vect =", "m.toml:13: monitor[0].events.raise.match.vect: softirq_raise has no"),
        ('{ handler = "owes"', '{ handler = "owed"',
         "m.toml:7: monitor[0].moves.quiet.handler: unknown state 'owed'; did you mean 'owes'?"),
        ('moves.owes = { raise', 'moves.owes = { rise',
         "m.toml:8: monitor[0].moves.owes.rise: unknown event 'rise'; did you mean 'raise'?"),
        ('within.owes = "5us"', 'within.owes = "5 years"', "m.toml:9: monitor[0].within.owes: "),
        ('start = "quiet"', "start = 3", "m.toml:6: monitor[0].start: expected a string, got 3"),
        ("a_uart_owes_a_raise", "hard_interrupts_do_not_nest",
         "m.toml:3: monitor[0].name: 'hard_interrupts_do_not_nest': another law has it"),
        ("[[monitor]]", "[[monitors]]", "m.toml:2: monitors: unknown key; did you mean 'monitor'"),
        ('scope = "CPU"', 'scope = "irq"', "m.toml:13: monitor[0].events.raise.key: softirq_raise"),
        ("[monitor.events]", "[monitor.events", "m.toml:11: not TOML: "),
    ],
)  # fmt: skip
def test_a_fault_in_a_monitor_is_named_with_its_line_and_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert MONITOR.count(old) == 1
    status, out, err = monitored(tmp_path, MONITOR.replace(old, new), GOOD)
    assert (status, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
