"""What every refusal of a hostile text must be: in time, and in the language's words."""

from __future__ import annotations

import re
import time

from healing_runtime.core.errors import SubsetError
from healing_runtime.language import source

INTERNALS = re.compile(r"Traceback|File \"|\.py\"?[,:]|site-packages| at 0x|jax\._src|\n|\x1b")
"""What would be Python's or ours, and not the language's, in the reason of a refusal."""


def is_tensorlang(text: str) -> bool:
    """Whether the syntax takes it; anything but an answer within time and in the language's words is a failure."""
    started = time.monotonic()
    try:
        source.parse(text, path="patch")
        return True
    except SubsetError as error:
        assert error.message and not INTERNALS.search(error.message), (error.message, text)
        return False
    finally:
        assert time.monotonic() - started < 5, text
