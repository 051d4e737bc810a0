"""What a run of this user vouches for: small documents in the user's private cache, each by its own hash.

The ledger and the run folders lie in the workspace, where more people write than in a user's cache. So what they hold
of a run is a claim, and a run that goes on believes only what was vouched for when it happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from healing_runtime.compile.cache import Cache, place
from healing_runtime.core import codec


class Vouchers:
    """One user's.

    Args:
        cache: where they lie; None vouches for nothing.
    """

    def __init__(self, cache: Cache | None) -> None:
        self._cache = cache

    @classmethod
    def here(cls) -> Self:
        """In the user's cache."""
        folder = place()
        return cls(None if folder is None else Cache(folder))

    def vouch(self, document: Mapping[str, Any]) -> bool:
        """Vouch for a document; False where the cache is off or cannot be used."""
        return self._cache is not None and self._cache.store(_bytes(document)) is not None

    def vouched(self, document: Mapping[str, Any]) -> bool:
        """Whether exactly this document was vouched for here."""
        data = _bytes(document)
        return self._cache is not None and self._cache.fetch(codec.digest(data)) == data


def _bytes(document: Mapping[str, Any]) -> bytes:
    return codec.canonical({"vouched": document})  # nothing else in the cache has this form
