"""One sandbox for all tests of the gate; the kit beside them is importable, and so are the benchmarks."""

import sys
from pathlib import Path

import pytest

from healing_runtime.sandbox.zygote import Sandbox

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.append(str(HERE.parents[1] / "benchmarks"))


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox(workers=2) as sandbox:
        yield sandbox
