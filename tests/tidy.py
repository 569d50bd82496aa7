"""The rules of the house, as functions from a module's syntax tree to what is wrong in it.

Each rule yields (line, message).  What is data, such as the layers, stands in tables.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Final

from attrs import frozen

Complaints = Iterator[tuple[int, str]]

LINE_MAX: Final = 100
FUNCTION_MAX: Final = 60
MODULE_MAX: Final = 450

_LAYER_0: Final = ("errors", "units")
_LAYER_1: Final = ("records", "events", "clock", "prng")
_LOWER: Final = (*_LAYER_0, *_LAYER_1)
_MODEL: Final = (*_LOWER, "hw", "kernel", "scenario")
_AROUND: Final = ("proc", "trace", "recording")
_ALL: Final = (
    *_MODEL, "engine", "irqchips", "boot", "machine", *_AROUND, "devmem", "simulation",
    "analysis", "cli",
)  # fmt: skip

# Who may import whom: the longest prefix of a module's name decides.
LAYERS: Final[dict[str, tuple[str, ...]]] = {
    "irqsim": _ALL,
    "irqsim.__main__": ("cli",),
    "irqsim.errors": (),
    "irqsim.units": (),
    "irqsim.records": _LAYER_0,
    "irqsim.events": (*_LAYER_0, "records"),
    "irqsim.clock": _LAYER_0,
    "irqsim.prng": _LAYER_0,
    "irqsim.hw": (*_LOWER, "hw"),
    "irqsim.kernel": (*_LOWER, "kernel"),
    # The kernel's only doors to the hardware, one for each controller.
    "irqsim.kernel.irq.chip": (*_LOWER, "kernel", "hw"),
    "irqsim.kernel.irq.its": (*_LOWER, "kernel", "hw"),
    "irqsim.kernel.irq.bcm2836": (*_LOWER, "kernel", "hw"),
    "irqsim.kernel.irq.gpio": (*_LOWER, "kernel", "hw"),
    "irqsim.scenario": _MODEL,
    "irqsim.engine": (*_MODEL, "engine"),
    "irqsim.irqchips": (*_MODEL, "irqchips"),
    "irqsim.boot": (*_MODEL, "engine", "irqchips", "boot"),
    "irqsim.machine": (*_MODEL, "engine", "irqchips", "boot", "machine"),
    "irqsim.proc": (*_LOWER, "kernel", "proc"),
    "irqsim.trace": (*_LOWER, "trace"),
    "irqsim.analysis": (*_LOWER, "analysis"),
    "irqsim.analysis.explain": (*_MODEL, "machine", "analysis"),
    "irqsim.analysis.sweep": (*_MODEL, "machine", "analysis"),
    # Between the machine and the command line.
    "irqsim.devmem": _MODEL,
    "irqsim.recording": (*_LOWER, "trace", "recording"),
    "irqsim.simulation": (*_MODEL, "machine", *_AROUND, "devmem", "simulation"),
    "irqsim.cli": _ALL,
}

# What would make two runs differ, or tie the library to a terminal.
BANNED_MODULES: Final = (
    "asyncio", "concurrent", "datetime", "locale", "multiprocessing", "random", "secrets",
    "threading", "time", "uuid", "_thread",
)  # fmt: skip
BANNED_ATTRIBUTES: Final = ("os.environ", "os.environb", "os.getenv", "os.urandom")
BANNED_CALLS: Final = ("hash", "id", "print", "input", "eval", "exec")

# Where no float may touch the model, and where code may be a kernel path.
INTEGERS_ONLY: Final = (
    "irqsim.boot", "irqsim.clock", "irqsim.engine", "irqsim.hw", "irqsim.irqchips",
    "irqsim.kernel", "irqsim.machine", "irqsim.prng",
)  # fmt: skip
MODELS: Final = (
    "irqsim.boot", "irqsim.engine", "irqsim.irqchips", "irqsim.kernel", "irqsim.machine",
    "irqsim.scenario",
)  # fmt: skip

SET: Final = re.compile(r"(?:frozenset|set|Set|MutableSet|AbstractSet)\b")
LINK: Final = re.compile(r"https?://\S|#\d+")
FORBIDDEN_WORDS: Final = re.compile(
    r"/(?:work|farm|home|root|Users|mnt)/|/tmp/(?:plan|lab|studio)|farm-(?:studio|bench)"
)


@frozen
class Module:
    """A module to look at."""

    name: str
    text: str
    tree: ast.Module

    @classmethod
    def from_text(cls, name: str, text: str) -> Module:
        """Parse it."""
        return cls(name, text, ast.parse(text))

    @classmethod
    def from_path(cls, path: PurePosixPath, text: str) -> Module:
        """Its name is that of its path below the project."""
        parts = [*path.parts[:-1], path.stem] if path.stem != "__init__" else path.parts[:-1]
        return cls.from_text(".".join(parts), text)

    def is_below(self, *packages: str) -> bool:
        """Whether it is one of these, or in one of these."""
        return any(f"{self.name}.".startswith(f"{package}.") for package in packages)


def layers(module: Module) -> Complaints:
    """A module imports only what its layer may, at any place of its text."""
    own = max((prefix for prefix in LAYERS if module.is_below(prefix)), key=len)
    for line, imported in _imports(module):
        if imported.split(".")[0] != "irqsim":
            continue
        unit = imported.split(".")[1] if "." in imported else ""
        if unit not in LAYERS[own]:
            yield line, f"{module.name} must not import {imported}"


def banned(module: Module) -> Complaints:
    """Below the command line, nothing depends on clocks, hashes, environment or threads."""
    if module.is_below("irqsim.cli", "irqsim.__main__"):
        return
    for line, imported in _imports(module):
        if imported.split(".")[0] in BANNED_MODULES:
            yield line, f"{imported} must not be imported below the command line"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in BANNED_ATTRIBUTES:
            yield node.lineno, f"{ast.unparse(node)} must not be used below the command line"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in BANNED_CALLS:
                yield node.lineno, f"{node.func.id}() must not be called below the command line"


def floats(module: Module) -> Complaints:
    """No float touches the model."""
    if not module.is_below(*INTEGERS_ONLY):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield node.lineno, f"the float {node.value} in the model"
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield node.lineno, "a division that makes a float in the model; use //"
        if isinstance(node, ast.Name) and node.id == "float":
            yield node.lineno, "float in the model"


def set_iteration(module: Module) -> Complaints:
    """Sets are not iterated: their order is nobody's promise."""
    names = _names_of_sets(module.tree)
    for node in ast.walk(module.tree):
        iterated: list[ast.expr] = []
        if isinstance(node, ast.For | ast.comprehension):
            iterated.append(node.iter)
        elif isinstance(node, ast.Starred):
            iterated.append(node.value)
        elif isinstance(node, ast.Call) and last_name(node.func) in (
            "list", "tuple", "enumerate", "iter", "next", "join", "extend", "zip", "map",
        ):  # fmt: skip
            iterated.extend(node.args)
        for each in iterated:
            if _is_set(each, names):
                yield each.lineno, f"the set {ast.unparse(each)} is iterated"


def sizes(module: Module) -> Complaints:
    """Functions, modules and lines can be read in one look."""
    lines = module.text.splitlines()
    if len(lines) > MODULE_MAX and module.is_below("irqsim"):
        yield len(lines), f"a module of {len(lines)} lines, more than {MODULE_MAX}"
    for number, line in enumerate(lines, start=1):
        if len(line) > LINE_MAX:
            yield number, f"a line of {len(line)} characters, more than {LINE_MAX}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_MAX:
                yield node.lineno, f"{node.name}() has {length} lines, more than {FUNCTION_MAX}"


def beginning(module: Module) -> Complaints:
    """`from __future__ import annotations` comes first, and a docstring before it."""
    body = module.tree.body
    if ast.get_docstring(module.tree) is None:
        yield 1, "no docstring"
    elif len(body) > 1:
        first = body[1]
        if not (isinstance(first, ast.ImportFrom) and first.module == "__future__"):
            yield first.lineno, "from __future__ import annotations must come first"


def yields(module: Module) -> Complaints:
    """No yield of a model stands in a try or with, and no cost is a literal."""
    if not module.is_below(*MODELS):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Try | ast.TryStar | ast.With | ast.AsyncWith):
            for inner in _own_nodes(node):
                if isinstance(inner, ast.Yield | ast.YieldFrom):
                    yield inner.lineno, "a yield inside try or with"
        if isinstance(node, ast.Yield) and isinstance(node.value, ast.Constant):
            if node.value.value:
                yield node.lineno, f"the cost {node.value.value!r} is a literal"


def words(path: str, text: str) -> Complaints:
    """What must not be in any file: places of one machine, and notes that lead nowhere."""
    for number, line in enumerate(text.splitlines(), start=1):
        if found := FORBIDDEN_WORDS.search(line):
            yield number, f"{path}: a path of somebody's machine: {found[0]}"
        if re.search(r"\b(?:TODO|FIXME|XXX)\b", line) and not LINK.search(line):
            yield number, f"{path}: a note to oneself without a link to an issue"


RULES: Final[tuple[Callable[[Module], Complaints], ...]] = (
    layers, banned, floats, set_iteration, sizes, beginning, yields,
)  # fmt: skip
RULES_OF_TESTS: Final = (sizes, beginning)


def _imports(module: Module) -> Iterator[tuple[int, str]]:
    """Every import of a module, with the modules' full names."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "irqsim":
                for alias in node.names:
                    yield node.lineno, f"irqsim.{alias.name}"
            else:
                yield node.lineno, node.module or ""


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below this one that belong to the same function."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.AsyncFunctionDef):
            yield child
            yield from _own_nodes(child)


def last_name(node: ast.expr) -> str:
    """`f` of `f` and of `a.b.f`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def annotated(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names of annotated variables, attributes and arguments, with their annotations."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            yield last_name(node.target), ast.unparse(node.annotation)
        elif isinstance(node, ast.arg) and node.annotation is not None:
            yield node.arg, ast.unparse(node.annotation)


def _names_of_sets(tree: ast.Module) -> frozenset[str]:
    """The names and attributes that a module assigns sets to, or annotates as sets."""
    found = [name for name, annotation in annotated(tree) if SET.match(annotation)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_set(node.value, frozenset()):
            found.extend(last_name(target) for target in node.targets)
    return frozenset(found)


def _is_set(node: ast.expr, names: frozenset[str]) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr | ast.Sub):
        return _is_set(node.left, names) or _is_set(node.right, names)
    return last_name(node) in names
