"""A fault that is put into a real log is seen, or there is a reason why it is none."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.corruptions import (
    KINDS,
    NR_CORRUPTIONS,
    Log,
    Verdict,
    broken,
    corruptions,
    good_logs,
    judge,
)

NR_TRIED = 5 * len(KINDS)


@cache
def logs(reference: Path) -> list[Log]:
    return good_logs(reference)


@cache
def verdicts(reference: Path) -> list[Verdict]:
    return [judge(each) for each in corruptions(logs(reference), NR_TRIED)]


def test_no_fault_in_a_real_log_goes_unseen(reference: Path) -> None:
    missed = [
        f"{each.corruption.kind}: {each.corruption.log.name}: {each.corruption.what}"
        for each in verdicts(reference)
        if each.outcome == "missed"
    ]
    assert missed == []
    assert NR_TRIED <= NR_CORRUPTIONS


def test_most_faults_are_seen_and_few_are_none(reference: Path) -> None:
    """A reason that is given too easily would hide what the laws do not see."""
    outcomes = [each.outcome for each in verdicts(reference)]
    assert outcomes.count("legal") < NR_TRIED // 5
    assert outcomes.count("suspected") < NR_TRIED // 5


def test_every_kind_of_fault_is_tried(reference: Path) -> None:
    kinds = {each.corruption.kind for each in verdicts(reference)}
    assert len(kinds) == len(KINDS)


def test_the_logs_themselves_break_nothing(reference: Path) -> None:
    """Neither a law that every kernel keeps nor one that has exceptions."""
    faults = {log.name: broken(log.records, log.setting) for log in logs(reference)}
    assert {name: fault for name, fault in faults.items() if fault} == {}
