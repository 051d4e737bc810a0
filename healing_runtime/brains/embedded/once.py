"""Lazy values shared by threads."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def once(make: Callable[[], T]) -> Callable[[], T]:
    """The same object for every thread that asks; the first one makes it, the others wait for it."""
    lock, cached = threading.Lock(), functools.cache(make)

    def get() -> T:
        with lock:
            return cached()

    return get
