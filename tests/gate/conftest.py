"""One sandbox for all tests of the gate, and one traced program; the kits beside them are importable."""

import sys
from pathlib import Path

import pytest

from healing_runtime.gate.build import ask_trace
from healing_runtime.ledger.store import Ledger
from healing_runtime.sandbox.zygote import Sandbox

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.append(str(HERE.parents[1] / "benchmarks"))


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox(workers=2) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def exported(sandbox):
    """The kit's good controller, traced once."""
    import gate_kit as kit

    source = kit.source(kit.GOOD)
    return ask_trace(sandbox, source, source, kit.course(), kit.TABLE).exported


@pytest.fixture
def home(tmp_path):
    """A ledger that is there, and a cache."""
    with Ledger(tmp_path / "runs/ledger.sqlite3"):
        pass
    return tmp_path
