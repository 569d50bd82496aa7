"""The README is in step with the program: its tables, its sessions, its figures.

Where one of these tests fails because the program has changed, `python -m tests.readme --bless`
rewrites what the sessions show and what follows from the program; the rest is prose.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import NOTHING, Factory, fields, fields_dict

from irqsim.events import tracepoints_in
from irqsim.kernel.release import RELEASES, Release
from irqsim.proc.table import TABLE
from irqsim.scenario.kinds import Choice
from irqsim.scenario.later import LATER
from irqsim.scenario.steps import CONTROL_STEPS, STEP_NAMED
from irqsim.scenario.tables import TABLES, Key, Table
from irqsim.trace.formats import FORMATS
from irqsim.trace.layout import LAYOUTS
from irqsim.trace.parse import classify
from tests import readme
from tests.command_line import shell
from tests.readme import code, rows
from tests.test_reference_formats import OPTIONS, PLAIN, lines_of, traces

README: Final = readme.read()
NOT_YET: Final = "not yet"


def section(words: str) -> str:
    """What stands below the heading that has these words."""
    return readme.section(README, words)


def refused(key: str) -> list[Any]:
    """The rows of what is refused yet that mean this key, or the step or command so called."""
    return [row for row in LATER if row.match == key]


# -- the language ------------------------------------------------------------------------


def rows_of(table: Table) -> dict[str, list[str]]:
    """The rows of a table's keys, by key; a row may have several."""
    name = f"`[[{table.name}]]`" if table.form == "many" else f"`[{table.name}]`"
    found: dict[str, list[str]] = {}
    for row in rows(section(name)):
        for key in code(row[0]):
            assert key not in found, f"{key} stands there twice"
            found[key] = row
    return found


KEYS: Final = [
    pytest.param(table, key, id=f"{table.name}.{key.name}")
    for table in TABLES
    for key in table.keys
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_of_the_readme_has_the_keys_of_the_language(table: Table) -> None:
    name = f"[[{table.name}]]"
    together = [other for other in TABLES if name in section(f"[{other.name}]").split("\n")[0]]
    assert set(rows_of(table)) == {key.name for each in together or [table] for key in each.keys}


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_a_key_has_its_default_and_says_if_it_is_refused(table: Table, key: Key) -> None:
    row = rows_of(table)[key.name]
    assert row[1] == default_of(table, key) or not default_of(table, key), row
    if isinstance(key.kind, Choice):
        assert {f'"{choice}"' for choice in key.kind.choices} <= set(code(" ".join(row)))
    is_refused = bool(refused(f"{table.name}.{key.name}") or refused(table.name))
    assert (NOT_YET in " ".join(row)) is is_refused, (
        f"irqsim/scenario/later.py and the README do not agree about {table.name}.{key.name}"
    )


def default_of(table: Table, key: Key) -> str:
    """The cell of a default; empty if it is told in words."""
    if table.form == "map":
        return ""
    default = fields_dict(table.spec)[key.attribute].default
    if default is NOTHING:
        return "required"
    if default is None or isinstance(default, Factory):  # type: ignore[arg-type]
        return ""
    return code_of(key.kind.show(default))


def code_of(value: object) -> str:
    return f"`{json.dumps(value)}`"


def test_the_readme_has_the_steps_of_the_language() -> None:
    found: dict[str, tuple[int, str]] = {}
    for row in rows(section("Steps")):
        for usage in code(row[0]):
            verb, *arguments = usage.split()
            if verb != "{":
                found[verb] = len(arguments), row[1]
                assert (NOT_YET in row[2]) is bool(refused(f"step {verb}")), row
    known = {verb: (len(kind.params), kind.where) for verb, kind in STEP_NAMED.items()}
    assert {**found, "return": known["return"]} == known
    for usage, _ in CONTROL_STEPS:
        assert f"`{usage.split('=')[0]}" in section("Steps")


def test_what_is_refused_by_its_value_is_said_so() -> None:
    """The values stand in the row, and commands in their section, with the same two words."""
    for row in LATER:
        table, _, key = row.match.partition(".")
        if row.match.startswith("command "):
            sentence = re.search(rf"`{row.match.split()[1]}[^.]*{NOT_YET}", section("`[[at]]`"))
            assert sentence, row
        elif key and row.values is not None:
            spec = next(each for each in TABLES if each.name == table)
            for value in row.values:
                assert value is True or code_of(value) in " ".join(rows_of(spec)[key]), row


# -- other tables ------------------------------------------------------------------------


def test_the_releases_of_the_readme_are_those_of_the_kernel() -> None:
    """Row by row a field, column by column a release."""
    told = [row[1:] for row in rows(section("Releases")) if len(row) == len(RELEASES) + 1]
    names = [each.name for each in fields(Release) if each.name not in ("name", "version")]
    assert told[-len(names) :] == [
        [cell(getattr(release, name)) for release in RELEASES] for name in names
    ], f"the last {len(names)} rows are, in this order: {', '.join(names)}"


def cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{value}`" if isinstance(value, str) else str(value)


def test_the_readme_knows_every_file_of_the_machine() -> None:
    wanted = {}
    for row in TABLE:
        path = row.path.replace("{cpu}", "cpuN")
        path = re.sub(r"\{(irq|desc|timed)\}", "N", path)
        path = re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), path)
        letters = ("r" if row.read else "") + ("w" if row.write else "")
        wanted[path + "/" * row.is_directory] = letters
    found = {path: row[1] for row in rows(section("Files of the machine")) for path in code(row[0])}
    assert found == wanted


@pytest.mark.parametrize("name", [*FORMATS, *LAYOUTS])
def test_the_readme_knows_every_format_and_layout(name: str) -> None:
    assert f"`{name}`" in section("Command line")


def test_the_readme_counts_the_tracepoints() -> None:
    counts = {release.name: len(tracepoints_in(release.name)) for release in RELEASES}
    assert f"from {min(counts.values())} to {max(counts.values())} tracepoints" in README


# -- what is generated ---------------------------------------------------------------------


def test_tables_and_figures_are_those_of_the_program() -> None:
    """Costs, notes of differences, what is known of other orders, and the numbers."""
    said, known = README.splitlines(), readme.generated(README).splitlines()
    assert said == known, "python -m tests.readme --bless rewrites this"


def test_the_number_of_lines_that_come_out_as_they_were(reference: Path) -> None:
    """What tests/test_reference_formats.py goes through."""
    paths = traces(reference, PLAIN + OPTIONS)
    kinds = Counter(classify(line) for path in paths for line in lines_of(path))
    filled = [path for path in paths if "empty" not in path.name]
    nr_files = [len(list(reference.rglob(f"proc_{name}*"))) for name in ("interrupts", "softirqs")]
    text = " ".join(section("Formats").split())
    assert f"{kinds['event']:,} event lines of {len(filled)} traces" in text
    assert "{} `/proc/interrupts` and {} `/proc/softirqs`".format(*nr_files) in text


def test_the_sessions_print_what_the_readme_shows(tmp_path: Path) -> None:
    shown, printed = readme.sessions(README), readme.replay(README, tmp_path)
    assert "".join(printed).splitlines() == "".join(shown).splitlines()


def test_completion_works_as_the_readme_says(tmp_path: Path) -> None:
    """In bash, with the very line that stands there."""
    readme.prepare(README, tmp_path)
    line = next(line for line in README.splitlines() if "bash_source" in line)
    script = f"{line}\nCOMP_WORDS=(irqsim list sof) COMP_CWORD=2\n_irqsim_completion irqsim\n"
    done = shell(script + 'echo "${COMPREPLY[@]}"', tmp_path, tmp_path / "bin")
    assert done.stdout == "softirqs\n"
