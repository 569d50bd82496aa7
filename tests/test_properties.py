"""The laws of the machine, on random scenarios: one test for each, with the law's own name.

The laws stand in `tests/laws.py` and `irqsim/analysis`, each with its source; every one is held
against the same fixed series of runs.  Beside that hypothesis looks for a scenario that breaks
any of them, and a few laws about pairs of runs stand here.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, note, settings

from irqsim.events import IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT, Record
from irqsim.scenario.spec import (
    DeviceSpec,
    KernelSpec,
    Listed,
    MachineSpec,
    RunSpec,
    ScenarioSpec,
    TaskSpec,
)
from tests.laws import LAWS, Law
from tests.runs import Run, run_of_seed, runs
from tests.strategies import MS, US, fixed, spec_of_seed, specs, step

ROOT = Path(__file__).resolve().parent.parent
NR_EXAMPLES = 30
"""Of the search, in `make test`; `make explore` takes as many as its profile says."""
NR_PAIRS = 12


def _test_of(law: Law) -> Callable[[], None]:
    def test() -> None:
        for seed, run in enumerate(runs()):
            faults = law.faults(run)
            assert not faults, f"seed {seed}: {law.law}\n" + "\n".join(faults[:5])

    test.__name__ = test.__qualname__ = f"test_{law.name}"
    test.__doc__ = f"{law.law}\n\nSource: {law.source}"
    return test


for _law in LAWS:
    globals()[f"test_{_law.name}"] = _test_of(_law)


def _nr_examples() -> int:
    """As many as the profile says, if that is a long search."""
    assert settings.default is not None
    nr_examples = settings.default.max_examples
    return nr_examples if nr_examples > 100 else NR_EXAMPLES


@given(specs())
@settings(
    max_examples=_nr_examples(),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_no_scenario_breaks_a_law(spec: ScenarioSpec) -> None:
    """Every law holds in every scenario."""
    note(repr(spec))
    run = Run(spec)
    faults = [f"{law.name}: {fault}" for law in LAWS for fault in law.faults(run)[:3]]
    assert not faults, "\n".join(faults)


# -- two runs ----------------------------------------------------------------------------


def test_the_same_input_gives_the_same_bytes() -> None:
    """A run is a pure function of its scenario.

    Source: the design's rule of determinism; stopping to look in between changes nothing.
    """
    for seed in range(NR_PAIRS):
        again = Run(spec_of_seed(seed), nr_slices=1)
        assert again.text() == run_of_seed(seed).text(), f"seed {seed}"


def digest_of_runs() -> str:
    """A few logs, as one number."""
    texts = [Run(spec_of_seed(seed), nr_slices=1).text() for seed in range(NR_PAIRS)]
    return hashlib.sha256("".join(texts).encode()).hexdigest()


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_the_hash_seed_changes_no_byte(hash_seed: str) -> None:
    """No order of a set or a dict of objects reaches the log.

    Source: the design's rule of determinism.
    """
    code = "from tests.test_properties import digest_of_runs; print(digest_of_runs())"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest_of_runs()


def test_a_device_that_never_fires_moves_nobody() -> None:
    """A device beside the others that wants nothing leaves every byte as it was.

    Source: the scenario's contract: adding a device never changes what another one does.
    """
    for seed in range(NR_PAIRS):
        spec = spec_of_seed(seed)
        silent = DeviceSpec("silent", spi=77, handler=(step("run", fixed(US)),))
        more = Run(evolve(spec, devices=(*spec.devices, silent)), nr_slices=1)
        assert more.text() == run_of_seed(seed).text(), f"seed {seed}"


def test_a_device_of_a_cpu_of_its_own_moves_nobody() -> None:
    """What one CPU's device does, no other CPU's devices notice.

    Source: the scenario's contract: every random draw comes from a stream of its own.
    """

    def spec(with_neighbour: bool) -> ScenarioSpec:
        handler = (step("run", fixed(3 * US)), step("raise_softirq", "NET_RX"))
        devices = [
            DeviceSpec(
                f"d{cpu}",
                spi=cpu + 1,
                trigger="edge",
                affinity=(cpu,),
                handler=handler,
                arrivals=spec_of_seed(cpu).devices[0].arrivals,
            )
            for cpu in (0, 1, 2)
        ]
        chosen = devices if with_neighbour else devices[:2]
        return ScenarioSpec(
            run=RunSpec(duration=9 * MS), machine=MachineSpec(cpus=3), devices=tuple(chosen)
        )

    def others(run: Run) -> list[Record]:
        return [record for record in run.records if record[1].cpu != 2]

    assert others(Run(spec(True))) == others(Run(spec(False)))


# -- who goes first ----------------------------------------------------------------------


def _entries(run: Run) -> list[tuple[int, int, str]]:
    """Time, CPU and name of every handler that began."""
    return [
        (time_ns, context.cpu, str(event.values[1]))
        for time_ns, context, event in run.records
        if event.tracepoint is IRQ_HANDLER_ENTRY and event.values[1] != "arch_timer"
    ]


def test_cpus_act_in_ascending_order_at_one_instant() -> None:
    """Devices of three CPUs that fire at once begin at one time, in the order of the CPUs.

    Source: the engine's rule for one instant.
    """
    devices = tuple(
        DeviceSpec(f"d{cpu}", spi=9 - cpu, affinity=(cpu,), arrivals=Listed((MS,)))
        for cpu in (2, 0, 1)
    )
    machine = MachineSpec(cpus=3)
    run = Run(ScenarioSpec(run=RunSpec(duration=3 * MS), machine=machine, devices=devices))
    times, cpus, _ = zip(*_entries(run), strict=True)
    assert len(set(times)) == 1
    assert cpus == (0, 1, 2)


@pytest.mark.parametrize("trigger", ["level", "edge"])
def test_the_hardware_acts_first_at_one_instant(trigger: str) -> None:
    """A line that rises at the very instant at which a handler ends is seen by its CPU there.

    A GICv2's root handler asks again before it returns, so it serves the line in the same
    exception.
    Source: the engine's rule for one instant; drivers/irqchip/irq-gic.c: gic_handle_irq.
    """
    handler = (step("run", fixed(10 * US)),)
    first = DeviceSpec("a", spi=1, trigger=trigger, arrivals=Listed((MS,)), handler=handler)
    spec = ScenarioSpec(
        run=RunSpec(duration=3 * MS),
        machine=MachineSpec(cpus=1, irqchip="gic-v2"),
        kernel=KernelSpec(rcu=False),
        devices=(first,),
    )
    alone = Run(spec)
    end_ns = next(
        time_ns for time_ns, _, event in alone.records if event.tracepoint is IRQ_HANDLER_EXIT
    )
    second = DeviceSpec("b", spi=2, trigger=trigger, arrivals=Listed((end_ns,)))
    both = Run(evolve(spec, devices=(first, second)))
    served_ns = end_ns + both.kernel.cost.irq_entry
    assert _entries(both)[1] == (served_ns, 0, "b")


def test_a_fifo_task_goes_before_an_ordinary_one() -> None:
    """A SCHED_FIFO task that wakes has the CPU before a SCHED_OTHER one, which waits for it.

    Source: kernel/sched/core.c: check_preempt_curr, pick_next_task.
    """
    work = (step("run", fixed(400 * US)),)
    tasks = (
        TaskSpec("other", work, cpu=0, start=MS),
        TaskSpec("fifo", work, cpu=0, policy="fifo", start=MS + 100 * US),
    )
    run = Run(ScenarioSpec(run=RunSpec(duration=5 * MS), machine=MachineSpec(cpus=1), tasks=tasks))
    ends = [
        context.comm
        for _, context, event in run.records
        if event.tracepoint.name == "sched_process_exit"
    ]
    assert ends == ["fifo", "other"]
