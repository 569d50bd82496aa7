"""The scenarios to start from: what ``irqsim new`` writes."""

from __future__ import annotations

from importlib.resources import files

from irqsim.errors import IrqsimError
from irqsim.scenario.names import hint

SUFFIX = ".toml"


def template_names() -> tuple[str, ...]:
    """The names of all templates, in alphabetical order."""
    folder = files("irqsim.scenario") / "templates"
    names = (each.name for each in folder.iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)))


def template(name: str) -> str:
    """The text of a template.  Raises IrqsimError for a name that is none."""
    names = template_names()
    if name not in names:
        raise IrqsimError(f"unknown template {name!r}{hint(name, names)}")
    folder = files("irqsim.scenario") / "templates"
    return (folder / f"{name}{SUFFIX}").read_text(encoding="utf-8")


def template_summary(name: str) -> str:
    """What a template shows: its first line."""
    return template(name).split("\n", 1)[0].lstrip("# ")
