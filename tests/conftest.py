"""What all tests share: how hypothesis searches, and where the captures of real kernels are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# `make test` tries the same examples every time; `make explore` goes on from where it was.
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile(
    "explore",
    deadline=None,
    derandomize=False,
    max_examples=2000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--bless`, for the tests that compare with kept files."""
    parser.addoption("--bless", action="store_true", help="rewrite the kept files")


@pytest.fixture
def bless(request: pytest.FixtureRequest) -> bool:
    """Whether kept files are rewritten instead of compared."""
    return bool(request.config.getoption("--bless"))


@pytest.fixture(scope="session")
def reference() -> Path:
    """Where the captures of real kernels are; the test is skipped where there are none."""
    place = Path(os.environ.get("IRQSIM_REFERENCE", ROOT.parent / "shared" / "reference"))
    if not place.is_dir():
        pytest.skip("no captures of real kernels (IRQSIM_REFERENCE)")
    return place
