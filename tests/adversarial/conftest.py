"""A sandbox for hostile sources; robot and records come from the gate's kit."""

import sys
from pathlib import Path

import pytest

from healing_runtime.sandbox.zygote import DEFAULT_MODULES, Sandbox

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "gate"), str(HERE)]


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox(workers=2, modules=(*DEFAULT_MODULES, "unguarded", "sabotage", "reading"), path=[HERE]) as sandbox:
        yield sandbox
