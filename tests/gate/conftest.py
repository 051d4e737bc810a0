"""The kit beside the tests is importable by them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pytest

from healing_runtime.sandbox.zygote import Sandbox


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox(workers=2) as sandbox:
        yield sandbox
