"""The two oracles, loaded from `tests/oracles`, and what compares our own evaluation with them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

ORACLES = Path(__file__).parent.parent / "oracles"


def _load(name, folder=ORACLES):
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def brute():
    """The interval semantics, spelt out."""
    return _load("stl_brute")


@pytest.fixture(scope="session")
def rtamt_oracle():
    """Textbook robustness, rtamt and reelay."""
    return _load("rtamt_oracle")


@pytest.fixture(scope="session")
def continuations():
    """All continuations, tried."""
    return _load("stl_continuations")


@pytest.fixture(scope="session")
def comparing():
    """Many formulas and traces at a time, ours beside the definition."""
    return _load("comparing", Path(__file__).parent)


@pytest.fixture(scope="session")
def mutating():
    """Source mutations, planted into running functions."""
    return _load("mutants", Path(__file__).parent)
