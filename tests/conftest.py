"""What holds for every test: pinned threads, the CPU, and the same examples on every run."""

from __future__ import annotations

from hypothesis import settings

from healing_runtime.core.platform import pin_environment

pin_environment()
settings.register_profile("project", deadline=None, derandomize=True, max_examples=50, database=None)
settings.load_profile("project")
