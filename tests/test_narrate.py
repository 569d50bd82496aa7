"""Every line that can occur has its words in every language, and every rule is told."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from irqsim.analysis.narrate import WORDS, Narrator
from irqsim.analysis.narrate_scene import Ground, ground_of_log
from irqsim.analysis.narrate_softirq import SOFTIRQ_TELLERS
from irqsim.analysis.words import LANGUAGES, VIEWS, Language, Sentence
from irqsim.analysis.words_softirq import ACTIONS
from irqsim.cli.narrate_ground import ground_of
from irqsim.events import PRINT, TICK_STOP, TRACEPOINTS, Context, Event, Record, Value
from irqsim.records import Lost, TraceHeader
from irqsim.scenario.reader import read_text
from irqsim.scenario.spec import ScenarioSpec
from irqsim.simulation import build
from irqsim.trace.reader import open_trace
from irqsim.units import SOFTIRQ_NAMES
from tests import golden, narrations
from tests.command_line import irqsim
from tests.test_golden import spec_of

TOUCH: Final = "traces/touchscreen/scenario.toml"
HANGUL: Final = re.compile("[가-힣]")

CROWDED: Final = """
[run]
duration = "3ms"
[machine]
cpus = 1
arch = "arm"
irqchip = "gic-v2"
[[device]]
name = "eth0"
spi = 4
arrivals = ["1ms"]
handler = ["napi_schedule rx", "raise_softirq NET_TX"]
[[napi]]
name = "rx"
device = "eth0"
weight = 1
ring = 8
[softirq]
NET_TX = ["wake_up_process hungry", "raise_softirq NET_TX", "run 5us"]
[[task]]
name = "hungry"
policy = "fifo"
asleep = true
run = ["run 10us"]
[[task]]
name = "plain"
run = ["run 500us"]
[[task]]
name = "caller"
run = ["syscall 20us", "run 2ms"]
[[device]]
name = "late"
spi = 5
arrivals = { poisson = "50us" }
[trace]
events = ["irq", "napi", "sched"]
"""
"""Softirqs that stop because a task waits, on another architecture, in user mode or not."""


UNMASKABLE: Final = """
[run]
duration = "3ms"
[machine]
cpus = 1
[kernel]
pseudo_nmi = true
[[device]]
name = "slow"
spi = 4
arrivals = ["1ms"]
handler = ["run 200us"]
[[device]]
name = "profiler"
spi = 5
nmi = true
arrivals = ["1100us"]
handler = ["run 5us"]
"""
"""A pseudo-NMI inside a handler."""


LOOPING: Final = """
[machine]
irqchip = "gic-v2"
[[device]]
name = "one"
spi = 4
arrivals = ["1ms"]
[[device]]
name = "other"
spi = 5
arrivals = ["1ms"]
"""
"""Two interrupts at once, and a controller whose handler may serve both in one exception."""


def tell(records: Sequence[Record], ground: Ground, language: Language) -> list[Sentence]:
    """What is told of records."""
    narrator = Narrator(ground, language)
    return [each for line, record in enumerate(records) for each in narrator.feed(line, record)]


def told_of(spec: ScenarioSpec, has_exceptions: bool = True) -> dict[Language, list[Sentence]]:
    """What is told of a scenario, and of its kernel log, in each language."""
    records: list[Record] = []
    if has_exceptions and spec.trace.buffer_size_kb is None:
        options = (*spec.trace.options, "exceptions")
        spec = evolve(spec, trace=evolve(spec.trace, options=options))
    simulation = build(spec, records.extend)
    grounds = {language: ground_of(simulation) for language in LANGUAGES}
    simulation.run()
    found = {}
    for language in LANGUAGES:
        found[language] = tell(records, grounds[language], language)
        narrator = Narrator(grounds[language], language)
        for _, _, text in simulation.kernel.dmesg:
            found[language] += narrator.message(text)
    return found


@cache
def told_of_golden(name: str) -> dict[Language, list[Sentence]]:
    return told_of(spec_of(name))


def record_of(name: str, number: int) -> Record:
    """A record of a tracepoint, with something in each field."""
    tracepoint = TRACEPOINTS[number]
    values: list[Value] = []
    for field in tracepoint.fields:
        is_text = "char" in field.ctype or "*" in field.ctype or "mask" in field.ctype
        values.append(f"{name}_{field.name}" if is_text else 1)
    return 1000 * number, Context("who", 7, 7, 0, 0, 0), Event(tracepoint, tuple(values))


# -- the tables ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(TRACEPOINTS)), ids=[t.name for t in TRACEPOINTS])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_of_every_tracepoint_has_words(number: int, language: Language) -> None:
    record = record_of("some", number)
    tracepoint = record[2].tracepoint
    assert tracepoint.name in WORDS
    told = tell([record], Ground(), language)
    assert told
    assert all(each.text and "{" not in each.text for each in told)


@pytest.mark.parametrize("key", WORDS)
def test_words_are_whole(key: str) -> None:
    """Both languages need the same values, and the function and its file are named."""
    words = WORDS[key]
    assert words.placeholders("en") == words.placeholders("ko")
    assert HANGUL.search(words.ko) and not HANGUL.search(words.en)
    assert words.en.strip() == words.en and words.ko.strip() == words.ko
    assert words.view in VIEWS
    assert re.fullmatch(r"[\w{}]+( / [\w{}]+)?", words.function)
    assert re.fullmatch(r"\{\w+\}|[\w/{}.-]+\.[chS]", words.file)


def test_every_vector_has_its_action() -> None:
    assert tuple(ACTIONS) == tuple(SOFTIRQ_NAMES)


@pytest.mark.parametrize("release", [(4, 19), (5, 10), (6, 1), (6, 6), (6, 12)])
@pytest.mark.parametrize("arch", ["arm64", "arm", None])
def test_functions_and_files_have_names_in_every_release(
    release: tuple[int, int], arch: str | None
) -> None:
    for name, value in Ground(arch, release).names().items():
        assert value, name
        assert "file" not in name or re.fullmatch(r"[\w/.-]+\.[chS]", str(value))


# -- the corpus ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", golden.names())
def test_a_shipped_scenario_is_told_in_both_languages(name: str) -> None:
    """The same sentences, filled in, none without a place in the kernel."""
    told = told_of_golden(name)
    assert [each.key for each in told["en"]] == [each.key for each in told["ko"]]
    for each in (*told["en"], *told["ko"]):
        assert each.text and each.function and each.file
        assert not re.search(r"[{}]|None", each.text + each.function + each.file), each


def test_every_rule_is_told_somewhere() -> None:
    """In the shipped scenarios, with all events, in one more, or in a log of somebody else's."""
    found: dict[str, None] = {}
    for name in golden.names():
        found.update(dict.fromkeys(each.key for each in told_of_golden(name)["en"]))
        if name != "nobody-cared":
            spec = spec_of(name)
            spec = evolve(spec, trace=evolve(spec.trace, events=("*",)))
            found.update(dict.fromkeys(each.key for each in told_of(spec)["en"]))
        with open_trace(str(golden.TRACES / name / "trace")) as trace:
            records = list(trace.records())
        for arch in (None, "arm64", "arm"):
            told = tell(records, ground_of_log(trace.header, arch), "en")
            found.update(dict.fromkeys(each.key for each in told))
    bare = told_of(read_text(LOOPING, "x"), has_exceptions=False)["en"]
    found.update(dict.fromkeys(each.key for each in bare))
    for text in (CROWDED, UNMASKABLE):
        found.update(dict.fromkeys(each.key for each in told_of(read_text(text, "x"))["en"]))
    narrator = Narrator(Ground(), "en")
    marker = Event(PRINT, ("tracing_mark_write", "here"))
    found.update(dict.fromkeys(each.key for each in narrator.lost(Lost(0, 3))))
    marked = tell([(0, Context("sh", 9, 9, 0, 0, 0), marker)], Ground(), "en")
    found.update(dict.fromkeys(each.key for each in marked))
    events = {each.name for each in TRACEPOINTS}
    kept = Event(TICK_STOP, (0, 2))
    told = tell([(0, Context("<idle>", 0, 0, 0, 0, 0), kept)], Ground(), "en")
    found.update(dict.fromkeys(each.key for each in told))
    assert sorted(set(WORDS) - set(found) - events) == []


def test_a_real_log_is_told(reference: Path) -> None:
    """Whatever a kernel prints; and what only the processor's names could tell is not."""
    for name in ("arm64-gicv3-4cpu-allevents", "armhf-gicv2-4cpu-mod-threaded"):
        with open_trace(str(reference / "captures" / name / "trace")) as trace:
            records = list(trace.records())[:20_000]
            ground = ground_of_log(trace.header, "arm")
        for language in LANGUAGES:
            keys = {each.key for each in tell(records, ground, language)}
            assert {"rule.turn_irq_exit", "rule.idle_resched", "return"} <= keys
            assert "arrived" not in keys and "line.spi" not in keys


# -- what is told --------------------------------------------------------------------------


def keys_of(*args: str) -> list[tuple[str, list[str]]]:
    """Each event, and the keys of what is told of it."""
    done = irqsim("narrate", "-q", "--json", *args)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return [(each.get("event", ""), [said["key"] for said in each["told"]]) for each in found]


def test_the_restart_limit_is_told_once_and_where_it_is_reached() -> None:
    found = keys_of("traces/ten-restarts/scenario.toml")
    limits = [number for number, (_, keys) in enumerate(found) if "rule.restart_limit" in keys]
    assert len(limits) == 1
    before = [keys for event, keys in found[: limits[0]] if event == "softirq_entry"]
    assert len(before) == 10
    assert sum("rule.next_pass" in keys for keys in before) == 9


def test_the_jiffies_limit_is_told_where_passes_are_left() -> None:
    keys = [each for _, keys in keys_of("traces/two-milliseconds-hz250/scenario.toml")
            for each in keys]  # fmt: skip
    assert keys.count("rule.time_limit") == 2
    assert "rule.restart_limit" not in keys and "rule.need_resched" not in keys


def test_ksoftirqd_on_its_way_is_told_of_releases_that_have_the_rule() -> None:
    scenario = "traces/left-to-ksoftirqd/scenario.toml"
    here = [each for _, keys in keys_of(scenario) for each in keys]
    later = keys_of(scenario, "--set", 'kernel.release="6.12"')
    assert here.count("rule.exit_deferred") == 2
    assert "rule.exit_deferred" not in [each for _, keys in later for each in keys]


def test_a_polled_handler_is_no_exception() -> None:
    for event, keys in keys_of("traces/storm-polled/scenario.toml"):
        if "rule.polled" in keys:
            assert event == "irq_handler_entry" and "irq_enter" not in keys


def test_an_interrupted_handler_goes_on_after_an_nmi(tmp_path: Path) -> None:
    scenario = tmp_path / "nmi.toml"
    scenario.write_text(UNMASKABLE)
    found = [keys for event, keys in keys_of(str(scenario)) if event.startswith("irq_handler")]
    assert "rule.nmi" in found[1] and "return" not in found[1]
    assert "rule.eoi" not in found[2] and "rule.eoi" in found[3]
    told = irqsim("narrate", "-q", str(scenario)).stdout
    assert "the handler of slow returns" in told


def test_one_exception_with_two_interrupts_is_told_as_one(tmp_path: Path) -> None:
    scenario = tmp_path / "looping.toml"
    scenario.write_text(LOOPING)
    entries = [keys for event, keys in keys_of(str(scenario)) if event == "irq_handler_entry"]
    assert "irq_enter" in entries[0] and "irq_enter" not in entries[1]
    assert "rule.same_exception" in entries[1] and "return" not in entries[1]


def test_lines_of_a_chained_controller_are_no_intids() -> None:
    for event, keys in keys_of("traces/gpio-key/scenario.toml"):
        if event == "irq_handler_entry" and "irq_handler_entry" in keys:
            assert "line.chip" in keys or "rule.resent" in keys


def test_a_story_goes_on_to_the_end_of_service_and_no_further() -> None:
    found = [event for event, _ in keys_of(TOUCH, "--irq", "touchscreen", "--nth", "3")]
    assert found[0] == "irq_handler_entry" and found[-1] == "sched_switch"
    assert found.count("softirq_entry") == found.count("tasklet_exit") == 1
    assert found.count("sched_waking") == found.count("sched_wakeup") == 1


def test_a_story_follows_the_thread() -> None:
    scenario = "traces/threaded-oneshot/scenario.toml"
    for nth in ("1", "2"):
        found = keys_of(scenario, "--irq", "ft5x06-ts", "--nth", nth)
        assert "rule.thread_unmasks" in found[-1][1]


def test_lines_are_those_of_the_log() -> None:
    lines = irqsim("narrate", "-q", TOUCH).stdout.splitlines()
    log = [line for line in lines if not re.match("    [a-z]+: ", line)]
    trace = (golden.TRACES / "touchscreen/trace").read_text().splitlines()
    assert log == [line for line in trace if not line.startswith("#")]


def test_a_part_is_told_as_it_is_in_the_whole() -> None:
    whole = irqsim("narrate", "-q", TOUCH).stdout
    for args in (("--cpu", "1"), ("--from", "0.002", "--to", "0.0025"), ("-e", "softirq_entry")):
        part = irqsim("narrate", "-q", *args, TOUCH).stdout
        assert part and part != whole
        assert set(part.splitlines()) <= set(whole.splitlines())


def test_losses_are_forgotten() -> None:
    narrator = Narrator(Ground(), "en")
    narrator.feed(1, record_of("some", 4))
    assert [each.key for each in narrator.lost(Lost(0, 0))] == ["lost"]


def test_a_header_says_what_machine_it_was() -> None:
    header = TraceHeader(kernel_version="6.1.0-50-arm64", preempt_model="desktop")
    ground = ground_of_log(header)
    assert (ground.arch, ground.release, ground.preempt) == ("arm64", (6, 1), "voluntary")
    assert ground_of_log(header, "arm").arch == "arm"
    assert ground_of_log(TraceHeader(kernel_version="6.1.0-armmp")).arch == "arm"
    assert ground_of_log(TraceHeader()).arch is None


def test_tellers_are_for_tracepoints_with_words() -> None:
    assert all(each.name in WORDS for each in SOFTIRQ_TELLERS)


# -- kept narrations, and mistakes ---------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", narrations.KEPT)
def test_a_narration_is_what_is_kept(name: str, language: str, bless: bool) -> None:
    if bless:
        narrations.bless(name, language)
    kept = narrations.place_of(name, language).read_bytes().decode()
    assert narrations.printed(name, language) == kept


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--irq", "touchscren"), "no interrupt 'touchscren' in it; did you mean 'touchscreen'?"),
        (("--irq", "touchscreen", "--nth", "4"), "'touchscreen' interrupts 3 times"),
        (("--irq", "uart-pl011"), "'uart-pl011' interrupts 0 times"),
        (("--nth", "2"), "--nth counts the interrupts of --irq NAME"),
        (("--lang", "de"), "'de' is not one of 'en', 'ko'"),
        (("--from", "now"), "'--from'"),
    ],
)
def test_mistakes_are_named(args: Sequence[str], said: str) -> None:
    done = irqsim("narrate", "-q", *args, TOUCH)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
