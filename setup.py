"""A shim: setup.cfg says all, but for the modules that may be compiled.

With IRQSIM_COMPILED=1 in the environment mypyc compiles the hot modules; without it, and where
there is no C compiler, the same modules run as Python.  Either way the same bytes come out.
"""

import os
from pathlib import Path

from setuptools import setup

FOLDERS = ("irqsim/hw", "irqsim/kernel", "irqsim/kernel/irq")
"""All of their modules, but for those below."""

SINGLE = (
    "irqsim/boot.py",
    "irqsim/clock.py",
    "irqsim/engine.py",
    "irqsim/prng.py",
    "irqsim/recording.py",
    "irqsim/scenario/compile.py",
    "irqsim/scenario/driver.py",
    "irqsim/scenario/functions.py",
    "irqsim/scenario/nic.py",
    "irqsim/scenario/program.py",
    "irqsim/scenario/requests.py",
    "irqsim/scenario/source.py",
    "irqsim/scenario/verbs.py",
    "irqsim/trace/ftrace.py",
)

ATTRS = "from attrs import"
"""Modules with this line stay as they are: attrs classes do not become native ones."""


def compiled_modules() -> list[str]:
    """The modules that are compiled, in a fixed order."""
    root = Path(__file__).parent
    found = [path for folder in FOLDERS for path in sorted((root / folder).glob("*.py"))]
    found += [root / name for name in SINGLE]
    return [
        path.relative_to(root).as_posix()
        for path in found
        if path.name != "__init__.py" and ATTRS not in path.read_text(encoding="utf-8")
    ]


extensions = []
if os.environ.get("IRQSIM_COMPILED") == "1":
    from mypyc.build import mypycify

    extensions = mypycify(compiled_modules(), opt_level="2")
    for extension in extensions:
        # Without a C compiler the package is installed as Python.
        extension.optional = True
setup(ext_modules=extensions)
