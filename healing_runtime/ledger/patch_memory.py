"""The patch memory: what healed an incident before, offered when the same one comes again.

An entry is bound to the hashes of the controllers, the assertions, the scenario and the runtime, and to the assertion
that was violated. A patch is held while it flies its probation and kept, for all later runs, once that is over. What is
offered is a claim, which the gate checks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from healing_runtime.core import codec
from healing_runtime.core.records import Evidence, Proposal
from healing_runtime.core.status import GatePolicy
from healing_runtime.ledger.sealed import SealedEvidence
from healing_runtime.ledger.store import Ledger

MOST_OFFERED = 3
"""Each of them is an attempt, and the brain is to have some, too."""
MOST_BYTES = 256 << 10
"""Bytes of an entry; a larger one was not written here, for the gate takes no such proposal."""


@dataclasses.dataclass(frozen=True)
class Binding:
    """What an entry is bound to. Hashes, but for the violated `assertion`; `runtime` is that of code and simulation."""

    original: str
    controller: str
    assertions: str
    scenario: str
    runtime: str
    assertion: str


@dataclasses.dataclass(frozen=True)
class Entry:
    """An accepted patch with its incident's features and its evidence."""

    binding: Binding
    proposal: Proposal
    evidence: Evidence
    features: Mapping[str, Any]


class PatchMemory:
    """The memory of one ledger.

    Args:
        ledger: holds the entries.
        sealed: holds the evidence. What cannot be sealed is not kept.
    """

    def __init__(self, ledger: Ledger, sealed: SealedEvidence) -> None:
        self._ledger, self._sealed = ledger, sealed
        self._held: Entry | None = None

    def look_up(self, binding: Binding) -> tuple[Proposal, ...]:
        """The newest patches for just this binding, newest first."""
        rows = self._ledger.remembered(dataclasses.asdict(binding), most=MOST_OFFERED, most_bytes=MOST_BYTES)
        return tuple(found for row in rows if (found := _proposal(row)) is not None)

    def hold(self, entry: Entry) -> None:
        """A patch that is about to fly its probation, in place of one that was held before."""
        self._held = entry

    def keep(self) -> None:
        """The patch that was held stayed in its flight: keep it, durably.

        One that stands on evidence kept before is in the memory already.
        """
        entry, self._held = self._held, None
        if entry is None or entry.evidence.policy != GatePolicy.FULL:
            return
        sha256 = self._sealed.seal(entry.evidence)
        if sha256 is not None:
            document = {"proposal": dataclasses.replace(entry.proposal, stands_on=""), **entry.features}
            self._ledger.remember(dataclasses.asdict(entry.binding), entry.evidence.controller_after, sha256, document)

    def forget(self, patch: str) -> None:
        """A patch did not stay: it is neither held nor remembered, and nothing stands on its evidence any more."""
        self._held = None
        for sha256 in self._ledger.forget(patch):
            self._sealed.discard(sha256)


def _proposal(row: Mapping[str, Any]) -> Proposal | None:
    try:
        return dataclasses.replace(codec.read(Proposal, row["proposal"]), stands_on=str(row["evidence"]))
    except (KeyError, TypeError, ValueError):
        return None
