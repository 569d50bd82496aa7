"""Random scenarios on a real kernel and on ours: `make oracle`.

    python -m tests.oracle_run [--seed N] [--count N] [--keep DIR] [MACHINE...]
    python -m tests.oracle_run --results DIR...

The lab that runs scenarios on unmodified arm64 kernels lies beside the captures (or where
IRQSIM_LAB says); it needs QEMU and a place of its own, which is made below build/.  Each scenario
is run at two speeds of the machine: where its order hangs on the speed nothing is judged.  The
second form judges what the lab has run before.  It reports, and fails only where nothing can be
run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from irqsim.errors import IrqsimError
from irqsim.scenario.reader import read_scenario
from tests.conftest import ROOT
from tests.reality import ALL_EVENTS, difference, reference_folder, run_in_the_lab
from tests.test_oracle import load_compare, told

MACHINES: Final[dict[str, dict[str, str]]] = {
    "6.1": {},
    "6.12": {"kernel": 'release = "6.12"'},
    "gicv2": {"machine": 'irqchip = "gic-v2"'},
    "threadirqs": {"kernel": "threadirqs = true"},
}
"""What is run, and the keys by which the scenarios of each differ."""

QEMU: Final = "qemu-system-aarch64"
GUEST: Final = "build/initrd-6.12.gz"
"""What the lab has when it is built for all these kernels."""

AGREES, DIFFERS, UNSTABLE, FAILED = "agrees", "differs", "unstable", "failed"


@frozen
class Verdict:
    """What came of one scenario."""

    name: str
    kind: str
    first: str
    """The first difference, or why it failed."""


# -- the real kernel ---------------------------------------------------------------------


def lab_folder() -> Path | None:
    """The lab, whether it is built or not."""
    reference = reference_folder()
    place = os.environ.get("IRQSIM_LAB") or (reference and reference.parent / "lab")
    return Path(place) if place and (Path(place) / "oracle.py").is_file() else None


def built_lab(lab: Path) -> Path:
    """The lab itself if it is built, else a copy that is built once."""
    if (lab / GUEST).exists():
        return lab
    copy = ROOT / "build" / "lab"
    if not (copy / GUEST).exists():
        shutil.copytree(lab, copy, dirs_exist_ok=True)
        subprocess.run(["chmod", "-R", "u+w", copy], check=True)
        subprocess.run([copy / "setup.sh", "all"], check=True)
    return copy


def generate(lab: Path, seed: int, count: int, machine: str, folder: Path) -> list[Path]:
    """Write `count` scenarios of this seed for this machine."""
    command = [sys.executable, str(lab / "gen.py"), "--seed", str(seed), "--n", str(count)]
    subprocess.run([*command, "-o", str(folder)], check=True)
    files = sorted(folder.glob("*.toml"))
    for path in files:
        text = path.read_text()
        for table, key in MACHINES[machine].items():
            if key.split()[0] not in text.partition(f"[{table}]")[2].partition("\n[")[0]:
                text = text.replace(f"[{table}]\n", f"[{table}]\n{key}\n", 1)
        path.write_text(text)
    return files


def run_really(lab: Path, files: list[Path], results: Path) -> None:
    """Run scenarios on the real kernel, each at two speeds."""
    subprocess.run([sys.executable, lab / "stable.py", results, *files], check=False)


# -- the comparison ----------------------------------------------------------------------


def judge(compare: Any, results: Path) -> Iterator[Verdict]:
    """Run what the lab has run, and compare."""
    for place in sorted(path.parent for path in results.glob("*/map.json")):
        stable = place / "stable.json"
        if not stable.is_file() or not json.loads(stable.read_bytes())["order"]:
            yield Verdict(place.name, UNSTABLE, "")
            continue
        try:
            first = first_difference(compare, place)
        except (IrqsimError, AssertionError) as error:
            yield Verdict(place.name, FAILED, f"{type(error).__name__}: {error}")
        else:
            yield Verdict(place.name, DIFFERS if first else AGREES, first)


def first_difference(compare: Any, place: Path) -> str:
    """Where our order is another than the real kernel's, CPU by CPU; empty where it is not."""
    release = json.loads((place / "map.json").read_bytes())["kernel"]
    scenario = place / "scenario.toml"
    spec = read_scenario(scenario, (ALL_EVENTS, f'kernel.release="{release}"'))
    real = told(compare, place / "trace", scenario, with_letters=False)
    found = ""
    # Which of two ticks at the same instant came first is the emulator's choice.
    for is_prompt in (True, False):
        ours = place / "ours"
        ours.write_text(run_in_the_lab(spec, is_prompt).log)
        mine = told(compare, ours, scenario, with_letters=False)
        diffs = {cpu: difference(events, mine[cpu]) for cpu, events in real.items()}
        found = next((f"CPU {cpu}:\n{diff}" for cpu, diff in diffs.items() if diff), "")
        if not found:
            break
    return found


# -- reporting ---------------------------------------------------------------------------


def report(title: str, verdicts: list[Verdict], is_long: bool) -> None:
    """One row of the table, then each scenario that does not agree."""
    number = dict.fromkeys((AGREES, DIFFERS, UNSTABLE, FAILED), 0)
    for verdict in verdicts:
        number[verdict.kind] += 1
    judged = len(verdicts) - number[UNSTABLE]
    print(f"{title:<12} {number[AGREES]:5} agree of {judged:5} stable of {len(verdicts):5}")
    for verdict in verdicts:
        if verdict.kind in (DIFFERS, FAILED):
            lines = verdict.first.splitlines()
            print(f"  {verdict.name}: {verdict.kind}")
            for line in lines if is_long else lines[:16]:
                print(f"    {line}")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Run, compare, print; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle_run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("machines", nargs="*", metavar="MACHINE", help=", ".join(MACHINES))
    parser.add_argument("--seed", type=int, default=1, help="of the generator")
    parser.add_argument("--count", type=int, default=50, help="scenarios for each machine")
    parser.add_argument("--keep", type=Path, help="where what was run is kept")
    parser.add_argument("--results", type=Path, nargs="+", help="judge these instead")
    parser.add_argument("--long", action="store_true", help="whole differences")
    options = parser.parse_args(arguments)
    lab = lab_folder()
    if lab is None or (options.results is None and shutil.which(QEMU) is None):
        print("skipped: no lab beside the captures (IRQSIM_REFERENCE, IRQSIM_LAB), or no QEMU")
        return 0
    compare = load_compare(lab)
    for results in options.results or []:
        report(results.name, list(judge(compare, results)), options.long)
    if options.results:
        return 0
    lab = built_lab(lab)
    keep = options.keep or ROOT / "build" / "oracle"
    for machine in options.machines or MACHINES:
        place = keep / f"{machine}-{options.seed}"
        shutil.rmtree(place, ignore_errors=True)
        files = generate(lab, options.seed, options.count, machine, place / "scenarios")
        run_really(lab, files, place / "results")
        report(machine, list(judge(compare, place / "results")), options.long)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
