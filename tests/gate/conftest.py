"""One sandbox for all tests of the gate; the kit beside them is importable."""

import sys
from pathlib import Path

import pytest

from healing_runtime.sandbox.zygote import Sandbox

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox(workers=2) as sandbox:
        yield sandbox
