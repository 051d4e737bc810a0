"""What holds for every test: pinned threads, the CPU, the same examples on every run, and no user's cache."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings

from healing_runtime.compile.cache import VARIABLE
from healing_runtime.core.platform import pin_environment

pin_environment()
_scratch = Path(tempfile.mkdtemp(prefix="healing-tests-"))
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)
os.environ[VARIABLE] = str(_scratch / "executables")
settings.register_profile("project", deadline=None, derandomize=True, max_examples=50, database=None)
settings.load_profile("project")

gc.disable()


def pytest_collection_finish() -> None:
    """Ten thousand tests are there to stay: nothing of them is garbage, and no collection looks at them again."""
    gc.freeze()
    gc.enable()
