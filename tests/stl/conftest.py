"""The two oracles, loaded from `tests/oracles`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

ORACLES = Path(__file__).parent.parent / "oracles"


def _load(name):
    spec = importlib.util.spec_from_file_location(name, ORACLES / f"{name}.py")
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
