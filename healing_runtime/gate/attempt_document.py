"""One attempt as run folders and the ledger hold it: a proposal word for word, and what every stage said of it.

`schema()` is what `docs/attempt.schema.json` holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from healing_runtime.core import codec
from healing_runtime.core.errors import RecordError
from healing_runtime.core.status import Stage

_ORDER = list(Stage)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ProposalDocument(_Strict):
    """What a brain wrote, or what the patch memory offered (`stands_on`); nothing of it is trusted."""

    diagnosis: str
    edit_kind: str
    source: str
    changed_assumptions: list[str]
    stands_on: str


class StageResultDocument(_Strict):
    """What one stage said: why it refused, at which line, and with which counterexample (`facts.counterexample`)."""

    stage: Stage
    accepted: bool
    reason: str
    line: int | None
    facts: dict[str, JsonValue]


class AttemptDocument(_Strict):
    """`attempt-NN.json`. Stages stand in the order of the gate; the last one alone may have refused.

    `not_remembered` is there where a patch that named evidence was judged in full all the same.
    """

    brain: str
    proposal: ProposalDocument
    policy: str
    accepted: bool
    stages: list[StageResultDocument] = Field(min_length=1)
    wall_s: dict[str, float]
    stage_s: dict[str, float]
    not_remembered: str = ""

    @model_validator(mode="after")
    def _is_one_chain(self) -> AttemptDocument:
        order = [_ORDER.index(stage.stage) for stage in self.stages]
        if order != sorted(set(order)):
            raise ValueError("its stages are not in the order of the gate")
        if not all(stage.accepted for stage in self.stages[:-1]):
            raise ValueError("something was judged after a refusal")
        if self.accepted != self.stages[-1].accepted:
            raise ValueError("its verdict is not that of its last stage")
        if any(not stage.accepted and not stage.reason for stage in self.stages):
            raise ValueError("a refusal has no reason")
        return self


def read(document: Mapping[str, Any]) -> AttemptDocument:
    """Read an attempt strictly. RecordError where something is missing, odd, or contradicts itself."""
    try:
        return AttemptDocument.model_validate_json(codec.canonical(document))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(map(str, first["loc"]))
        raise RecordError(f"this is no attempt: {at and f'{at}: '}{first['msg'].lower()}.") from None


def schema() -> dict[str, Any]:
    """The JSON Schema of an attempt."""
    return AttemptDocument.model_json_schema()
