"""What a worker's answer is taken for: it may be in hostile hands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from healing_runtime.core.errors import HealingError, WorkerFailed


@contextlib.contextmanager
def in_the_schema() -> Iterator[None]:
    """Whatever an answer lacks or has too much of, while it is read inside, is the worker's failure."""
    try:
        yield
    except HealingError:
        raise
    except Exception as error:
        raise WorkerFailed("answered outside the schema", f"{type(error).__name__}: {error}"[:300]) from error
