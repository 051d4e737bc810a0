"""Status codes that travel through compiled programs as numbers."""

from __future__ import annotations

import enum


class Status(enum.IntEnum):
    """Verdict of an assertion at one instant or over one run (assertions.md)."""

    UNKNOWN = 0
    TRUE = 1
    FALSE = 2
    VACUOUS = 3
    INVALID = 4

    @property
    def word(self) -> str:
        """The word written into records: true, false, unknown, vacuous, invalid."""
        return self.name.lower()

    @property
    def violated(self) -> bool:
        """False and invalid are violations; NaN is never a pass."""
        return self in (Status.FALSE, Status.INVALID)


class Severity(enum.StrEnum):
    """What a violation does."""

    CRITICAL = "critical"
    WARNING = "warning"


class Outcome(enum.StrEnum):
    """How a run ended (product.md), each with its exit code."""

    SUCCEEDED = "succeeded"
    HEALED = "healed"
    FALLBACK = "fallback"
    VIOLATED = "violated"
    ABORTED = "aborted"
    AWAITING_APPROVAL = "awaiting_approval"

    @property
    def exit_code(self) -> int:
        """Exit code of a command that ends with this outcome."""
        return {"succeeded": 0, "healed": 0, "fallback": 1, "violated": 1, "aborted": 4, "awaiting_approval": 5}[
            self.value
        ]


class Stage(enum.StrEnum):
    """The stages of the gate, in their order; `approval` and `probation` are the supervisor's."""

    CONTRACT = "contract"
    SYNTAX = "syntax"
    OWNERSHIP = "ownership"
    TRACE = "trace"
    PASSES = "passes"
    EXPORT = "export"
    FLIGHTS = "flights"
    APPROVAL = "approval"
    PROBATION = "probation"


AFTER_THE_GATE = (Stage.APPROVAL, Stage.PROBATION)
"""Stages that may refuse what the gate had accepted."""


class GatePolicy(enum.StrEnum):
    """The policies of the gate; each writes evidence under its name, and nothing else accepts.

    `prevalidated` is known by its name only: it waits for patches that were made ahead of time.
    """

    FULL = "full"
    REMEMBERED = "remembered"
    PREVALIDATED = "prevalidated"
