"""Evidence of patches that stayed in their flights, in the user's private cache, by its own hash.

The ledger lies in the workspace, where more people write than in a user's cache. So what the ledger says of a patch is
a claim, and this is what has to be there for it: bytes that a run of this user put away once the patch had flown its
probation, and that are taken away when it is rolled back.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Self

from healing_runtime.compile.cache import Cache, place
from healing_runtime.core import codec
from healing_runtime.core.records import Evidence

MAX_BYTES = 1 << 20
"""Of one piece of evidence; what is larger was not written by a gate."""


class SealedEvidence:
    """One user's. What was found once stays known to this object, whoever tidies the cache meanwhile.

    Args:
        cache: where it lies; None keeps nothing and finds nothing.
    """

    def __init__(self, cache: Cache | None) -> None:
        self._cache = cache
        self._found: dict[str, Any] = {}

    @classmethod
    def here(cls) -> Self:
        """In the user's cache."""
        folder = place()
        return cls(None if folder is None else Cache(folder))

    def seal(self, evidence: Evidence) -> str | None:
        """Put evidence away, without what a clock said: equal work has equal hashes. Its hash, or None if not kept."""
        timeless = dataclasses.replace(evidence, latency=None)
        return None if self._cache is None else self._cache.store(codec.canonical(timeless))

    def find(self, sha256: str) -> Any:
        """The evidence with this hash as plain JSON; None if it is not here."""
        if sha256 not in self._found:
            data = None if self._cache is None else self._cache.fetch(sha256)
            if data is None or len(data) > MAX_BYTES:
                return None
            try:
                document = json.loads(data)
            except (ValueError, RecursionError):
                return None
            if not isinstance(document, dict):  # something else was kept under this hash
                return None
            self._found[sha256] = document
        return self._found[sha256]

    def discard(self, sha256: str) -> None:
        """Take evidence away: its patch did not stay after all."""
        self._found.pop(sha256, None)
        if self._cache is not None:
            self._cache.discard(sha256)
