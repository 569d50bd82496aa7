"""The rule that no kernel path is lost: one that is called without `yield from` does nothing.

A path is what an alias of `Generator[int, None, ...]` annotates: functions, methods, and the
attributes and arguments that hold such functions.  A function of a module is known by its full
name.  A method or attribute is known by its bare name only, and is left out where something
that is no path has that name too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import define, field

from tests.tidy import MODELS, Complaints, Module, annotated, last_name

READERS: Final = ("irqsim.analysis", "irqsim.cli", "irqsim.trace")
"""What only reads records, and no model calls."""

# Calls that run the path that they are given, or keep it for the engine.
RUNNERS: Final = ("Frame", "new_task")


@define
class Paths:
    """What is called a path."""

    functions: dict[str, bool] = field(factory=dict)
    """The functions of modules by full name: whether they are paths."""
    members: dict[str, bool] = field(factory=dict)
    """The names of all else that can be called; False once one of that name is no path."""

    def note(self, name: str, is_path: bool) -> None:
        """Something that is called by a bare name."""
        self.members[name] = is_path and self.members.get(name, True)


def known_paths(modules: Iterable[Module]) -> Paths:
    """The paths of the modules that model something, and what else they may call."""
    models = [module for module in modules if not module.is_below(*READERS)]
    aliases = [full for module in models for full in _aliases(module)]
    paths = Paths()
    for module in models:
        known = "|".join(_names_of(aliases, module)) or "(?!)"
        returns_path = re.compile(rf"(?:{known})")
        holds_path = re.compile(rf"\bCallable\[.*, (?:{known})(?: \| None)?\]")
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.FunctionDef):
                continue
            returned = ast.unparse(node.returns) if node.returns is not None else ""
            is_path = returns_path.fullmatch(returned) is not None
            if node in module.tree.body:
                paths.functions[f"{module.name}.{node.name}"] = is_path
            else:
                paths.note(node.name, is_path)
        for name, annotation in annotated(module.tree):
            if "Callable[" in annotation:
                paths.note(name, holds_path.search(annotation) is not None)
    return paths


def lost_paths(module: Module, paths: Paths) -> Complaints:
    """A path that is called runs: it is behind `yield from`, or handed on to who runs it."""
    if not module.is_below(*MODELS):
        return
    imported = dict(_imported(module.tree))
    for parent in ast.walk(module.tree):
        if _hands_on(parent):
            continue
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, ast.Call) and _is_path(child.func, module, imported, paths):
                yield child.lineno, f"{ast.unparse(child.func)}() is called without yield from"


def _aliases(module: Module) -> Iterator[str]:
    """The full names of the aliases that a module defines."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if ast.unparse(node.value).startswith("Generator[int, None"):
                yield f"{module.name}.{node.targets[0].id}"


def _names_of(aliases: list[str], module: Module) -> list[str]:
    """What a module calls the aliases, its own and the ones that it imports."""
    own = [full.rpartition(".")[2] for full in aliases if full.startswith(f"{module.name}.")]
    return own + [name for name, full in _imported(module.tree) if full in aliases]


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that `from` imports make, and what they stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _is_path(called: ast.expr, module: Module, imported: dict[str, str], paths: Paths) -> bool:
    """Whether a call of this makes a path."""
    if isinstance(called, ast.Subscript):
        called = called.value
    full = ""
    if isinstance(called, ast.Name):
        full = imported.get(called.id, f"{module.name}.{called.id}")
    elif isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        full = f"{imported.get(called.value.id)}.{called.attr}"
    if full in paths.functions:
        return paths.functions[full]
    return paths.members.get(last_name(called), False)


def _hands_on(parent: ast.AST) -> bool:
    """Whether a path that stands in this node can still be run by somebody."""
    if isinstance(parent, ast.Call):
        return last_name(parent.func) in RUNNERS
    return isinstance(
        parent,
        ast.YieldFrom | ast.Return | ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.Lambda
        | ast.IfExp,
    )  # fmt: skip
