"""What a remote or scripted brain has to answer with, and the check that it did.

A provider that promises structured output may still send fenced, cut off or invented JSON, so every answer is validated
here. Nothing is guessed: an answer that does not fit is malformed, and the reason is what the brain is told.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from healing_runtime.core.records import Proposal

MAX_ANSWER_CHARS = 200_000


def _not_blank(text: str) -> str:
    # A function, not `min_length`: keywords that a provider does not know have no place in the schema it is sent.
    if not text.strip():
        raise ValueError("must not be blank")
    return text


_Text = Annotated[str, pydantic.AfterValidator(_not_blank)]


class ProposalModel(pydantic.BaseModel):
    """The JSON form of a proposal. Field order is the order in which a model writes: think first, then code."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    diagnosis: _Text = pydantic.Field(
        description="Why the assertion was violated: the faulty statement or number in the source, the evidence for it "
        "in the log, and why the change mends it. Two to six sentences."
    )
    edit_kind: Literal["parameters", "file"] = pydantic.Field(
        description="'parameters' if nothing but values inside PARAMS changes, else 'file'."
    )
    source: _Text = pydantic.Field(
        description="The complete TensorLang controller file after the change, as plain text without code fences."
    )
    changed_assumptions: list[str] = pydantic.Field(
        description="What the new controller assumes about the robot or its surroundings that the old one did not; "
        "empty if nothing."
    )

    def proposal(self) -> Proposal:
        """Freeze into the record that rooms hand on."""
        return Proposal(self.diagnosis, self.edit_kind, self.source, tuple(self.changed_assumptions))


class MalformedAnswerError(ValueError):
    """An answer outside the schema; the text says where and what, for the brain to mend it."""


def schema() -> dict[str, Any]:
    """Return the JSON schema of an answer, as sent to a provider."""
    return ProposalModel.model_json_schema()


def read(text: str) -> Proposal:
    """Validate the text of an answer.

    Raises:
        MalformedAnswerError: not JSON, or not of the form; every fault is listed.
    """
    if len(text) > MAX_ANSWER_CHARS:
        raise MalformedAnswerError(f"the answer has {len(text)} characters, more than {MAX_ANSWER_CHARS}")
    try:
        return ProposalModel.model_validate_json(text).proposal()
    except pydantic.ValidationError as error:
        faults = "; ".join(_fault(e) for e in error.errors(include_url=False, include_input=False))
    raise MalformedAnswerError(faults)


def _fault(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    return f"{where}: {error['msg']}" if where else error["msg"]
