"""What the README shows works, and it knows every command and option.

Blocks marked `sh` are run, line by line, if the line begins with `irqsim`; blocks marked
`toml` are scenarios; blocks marked `python` are run.  What is no example (the output of a
command, a session with files that the reader does not have) has another mark: `text` or
`console`.
"""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from irqsim.cli.main import COMMANDS, commands
from irqsim.cli.monitor_file import read_monitors
from irqsim.scenario.reader import read_text
from tests.command_line import ROOT, shell

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(mark: str) -> list[str]:
    return re.findall(rf"^```{mark}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


SHELL_LINES = [
    line for block in blocks("sh") for line in block.splitlines() if line.startswith("irqsim ")
]


def options_of(name: str) -> list[str]:
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    options = (param for param in command.params if isinstance(param, click.Option))
    return [option.opts[-1] for option in options if option.name != "help"]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_names_every_command(name: str) -> None:
    assert f"`irqsim {name}" in README


@pytest.mark.parametrize("option", options_of("run"))
def test_the_readme_names_every_option_of_run(option: str) -> None:
    assert option in README


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    assert command.help and command.epilog
    for param in command.params:
        assert not isinstance(param, click.Option) or param.help


@pytest.mark.parametrize("line", SHELL_LINES)
def test_a_command_of_the_readme_works(line: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "traces").symlink_to(ROOT / "traces")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    done = shell(line, tmp_path, tmp_path / "bin")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("text", blocks("toml"))
def test_a_scenario_of_the_readme_is_valid(text: str, tmp_path: Path) -> None:
    """And a file of monitors is one."""
    if "[[monitor]]" in text:
        (tmp_path / "monitors.toml").write_text(text)
        assert read_monitors(str(tmp_path / "monitors.toml"), [])
    else:
        read_text(text, "README.md")


@pytest.mark.parametrize("text", blocks("python"))
def test_the_python_of_the_readme_runs(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "traces").symlink_to(ROOT / "traces")
    monkeypatch.chdir(tmp_path)
    exec(compile(text, "README.md", "exec"), {})


def test_the_readme_names_the_two_commands_of_a_newcomer() -> None:
    for target in ("run", "test"):
        assert f"make {target}" in README
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{target}:.*##", makefile, re.MULTILINE)
