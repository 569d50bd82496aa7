"""The rules of the house hold in every file, and every rule finds what it is there for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from tests import tidy
from tests.tidy import Module
from tests.tidy_paths import known_paths, lost_paths

ROOT = Path(__file__).resolve().parent.parent


def _files() -> list[PurePosixPath]:
    """The project's files: those of git, or all where there is no git."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True, text=True
        )
        names = sorted(name for name in listed.stdout.split("\0") if name)
    except (OSError, subprocess.CalledProcessError):
        names = sorted(
            path.relative_to(ROOT).as_posix()
            for top in ("irqsim", "tests", "traces")
            for path in (ROOT / top).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        )
    return [PurePosixPath(name) for name in names if (ROOT / name).is_file()]


FILES = _files()
MODULES = [
    Module.from_path(path, (ROOT / path).read_text(encoding="utf-8"))
    for path in FILES
    if path.suffix == ".py" and path.parts[0] in ("irqsim", "tests")
]
OURS = [module for module in MODULES if module.is_below("irqsim")]
THEIRS = [module for module in MODULES if module.is_below("tests")]


def _said(name: str, complaints: Iterator[tuple[int, str]]) -> list[str]:
    return [f"{name}:{line}: {message}" for line, message in complaints]


def _nothing(said: Iterable[str]) -> None:
    """Fail with all that was said."""
    found = list(said)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("rule", tidy.RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps_the_rule(rule: Callable[[Module], tidy.Complaints]) -> None:
    _nothing(said for module in OURS for said in _said(module.name, rule(module)))


@pytest.mark.parametrize("rule", tidy.RULES_OF_TESTS, ids=lambda rule: rule.__name__)
def test_every_test_keeps_the_rule(rule: Callable[[Module], tidy.Complaints]) -> None:
    _nothing(said for module in THEIRS for said in _said(module.name, rule(module)))


def test_every_path_that_is_called_runs() -> None:
    paths = known_paths(OURS)
    found = [_said(module.name, lost_paths(module, paths)) for module in OURS]
    _nothing(said for each in found for said in each)


def test_no_file_names_a_place_of_somebodys_machine() -> None:
    found = []
    for path in FILES:
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path.name != "tidy.py":
            found.extend(_said(str(path), tidy.words(str(path), text)))
    _nothing(found)


def test_the_top_level_holds_only_what_it_may() -> None:
    allowed = {
        ".ci", ".gitignore", "LICENSE", "Makefile", "README.md", "irqsim", "pyproject.toml",
        "setup.cfg", "setup.py", "tests", "traces",
    }  # fmt: skip
    assert sorted({path.parts[0] for path in FILES} - allowed) == []


HEAD = '"""Words."""\nfrom __future__ import annotations\n'
WRONG = [
    (tidy.layers, "irqsim.hw.gic", "from irqsim.kernel.state import Cpu"),
    (tidy.layers, "irqsim.hw.gic", "import irqsim.scenario.spec"),
    (tidy.layers, "irqsim.kernel.tick", "def f():\n    from irqsim.hw import timer"),
    (tidy.layers, "irqsim.kernel.irq.manage", "from irqsim import hw"),
    (tidy.layers, "irqsim.kernel.trace", "from irqsim.trace.ftrace import TextFormat"),
    (tidy.layers, "irqsim.units", "from irqsim.errors import Fault"),
    (tidy.layers, "irqsim.analysis.check", "from irqsim.machine import build"),
    (tidy.banned, "irqsim.engine", "import time"),
    (tidy.banned, "irqsim.trace.output", "from os import path\nimport os\nos.environ['A']"),
    (tidy.banned, "irqsim.kernel.sched", "def f(a): return id(a)"),
    (tidy.banned, "irqsim.kernel.sched", "hash('a')"),
    (tidy.floats, "irqsim.prng", "A = 0.5"),
    (tidy.floats, "irqsim.kernel.sched", "def f(a): return a / 2"),
    (tidy.set_iteration, "irqsim.x", "for a in {1, 2}: pass"),
    (tidy.set_iteration, "irqsim.x", "def f(a: set[int]) -> list[int]: return [b for b in a]"),
    (tidy.set_iteration, "irqsim.x", "a = set()\nb = list(a)"),
    (tidy.set_iteration, "irqsim.x", "b = ','.join({'a'} | {'b'})"),
    (tidy.set_iteration, "irqsim.x", "class A:\n  a: frozenset[int]\n  def f(s): return (*s.a,)"),
    (tidy.sizes, "irqsim.x", "a = 1\n" * (tidy.MODULE_MAX + 1)),
    (tidy.sizes, "tests.x", f"a = '{'a' * tidy.LINE_MAX}'"),
    (tidy.sizes, "tests.x", "def f():\n" + "    a = 1\n" * tidy.FUNCTION_MAX),
    (tidy.yields, "irqsim.kernel.x", "def f():\n  try:\n    yield 0\n  finally:\n    pass"),
    (tidy.yields, "irqsim.kernel.x", "def f():\n  with a:\n    if b:\n      yield from c()"),
    (tidy.yields, "irqsim.kernel.x", "def f():\n  yield 1000"),
]


@pytest.mark.parametrize(("rule", "name", "text"), WRONG)
def test_a_rule_finds_its_fault(
    rule: Callable[[Module], tidy.Complaints], name: str, text: str
) -> None:
    assert list(rule(Module.from_text(name, HEAD + text)))


RIGHT = [
    (tidy.layers, "irqsim.kernel.irq.chip", "from irqsim.hw.gic import Gic"),
    (tidy.layers, "irqsim.trace.ftrace", "from irqsim.trace.layout import LAYOUTS"),
    (tidy.layers, "irqsim.cli.run", "from irqsim.machine import build"),
    (tidy.banned, "irqsim.cli.progress", "import time"),
    (tidy.set_iteration, "irqsim.x", "def f(a: set[int]) -> list[int]: return sorted(a)"),
    (tidy.set_iteration, "irqsim.x", "def f(a: int) -> bool: return a in {1, 2}"),
    (tidy.yields, "irqsim.kernel.x", "def f():\n  yield 0\n  yield k.cost.ipi"),
    (tidy.yields, "irqsim.kernel.x", "with a:\n  def f():\n    yield 0"),
]


@pytest.mark.parametrize(("rule", "name", "text"), RIGHT)
def test_a_rule_finds_no_more_than_that(
    rule: Callable[[Module], tidy.Complaints], name: str, text: str
) -> None:
    assert list(rule(Module.from_text(name, HEAD + text))) == []


def test_the_docstring_and_the_future_come_first() -> None:
    docstring, future = HEAD.splitlines(keepends=True)
    for text in ("a = 1\n", f"{docstring}import os\n", future):
        assert list(tidy.beginning(Module.from_text("irqsim.x", text)))
    assert not list(tidy.beginning(Module.from_text("irqsim.x", HEAD)))


PATHS = HEAD + """
Path = Generator[int, None, None]
def go(k) -> Path:
    yield 0
class Queue:
    action: list[Callable[[Kernel], Path]]
    def go(self) -> None: pass
    def wait(self) -> Path: yield 0
def run(k) -> Path:
    {}
"""


@pytest.mark.parametrize(
    ("statement", "is_lost"),
    [
        ("go(k)", True),
        ("yield go(k)", True),
        ("k.queue.go()", False),
        ("k.queue.wait()", True),
        ("k.action[3](k)", True),
        ("if go(k): pass", True),
        ("for a in go(k): pass", True),
        ("print(go(k))", True),
        ("a = [go(k)]", True),
        ("yield from go(k)", False),
        ("return go(k)", False),
        ("later = go(k)", False),
        ("Frame(go(k), True)", False),
        ("k.tasks.append(go)", False),
    ],
)
def test_a_path_that_does_not_run_is_found(statement: str, is_lost: bool) -> None:
    module = Module.from_text("irqsim.kernel.x", PATHS.format(statement))
    assert bool(list(lost_paths(module, known_paths([module])))) == is_lost


@pytest.mark.parametrize(
    ("line", "is_wrong"),
    [
        ("see /" + "work/main", True),
        ("# TO" + "DO: later", True),
        ("# TO" + "DO(#12): later", False),
        ("/proc/irq/24/smp_affinity", False),
    ],
)
def test_words_that_must_not_stay_are_found(line: str, is_wrong: bool) -> None:
    assert bool(list(tidy.words("a", line))) == is_wrong
