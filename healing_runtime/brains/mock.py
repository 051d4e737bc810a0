"""A scripted brain: it says what a file tells it to. For tests and demonstrations of the machinery around a brain.

    answers:
      - diagnosis: the gain is too small
        edit_kind: parameters            # or file
        source: |                        # or source_file: a path relative to this file
          ...
        changed_assumptions: []          # optional
        assertion: level_at_touchdown    # optional: only for incidents of this assertion
      - unavailable: the line is down    # instead of a proposal: the brain fails with this text

It keeps no count of its own: the n-th attempt of an incident gets the n-th answer that fits, and after the last there
is nothing to offer. JSON is YAML, so a `.json` file reads the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pydantic

from healing_runtime.core.errors import BrainUnavailable
from healing_runtime.core.records import Proposal, RepairRequest
from healing_runtime.workspace.document import read_document, read_text
from healing_runtime.workspace.validation import validate


class AnswerModel(pydantic.BaseModel):
    """One entry of `answers`."""

    model_config = pydantic.ConfigDict(extra="forbid")

    diagnosis: str = "Scripted."
    edit_kind: Literal["parameters", "file"] = "file"
    source: str = ""
    source_file: str = ""
    changed_assumptions: tuple[str, ...] = ()
    assertion: str = ""
    unavailable: str = ""

    @pydantic.model_validator(mode="after")
    def _one_of(self) -> AnswerModel:
        if sum(map(bool, (self.source.strip(), self.source_file, self.unavailable))) != 1:
            raise ValueError("name exactly one of source, source_file, unavailable")
        return self


class ScriptModel(pydantic.BaseModel):
    """The file."""

    model_config = pydantic.ConfigDict(extra="forbid")

    answers: tuple[AnswerModel, ...]


class MockBrain:
    """Plays a script; see the module's text for the file."""

    def __init__(self, answers: Sequence[AnswerModel], name: str = "mock") -> None:
        self.name = name
        self._answers = tuple(answers)

    @classmethod
    def from_file(cls, path: Path) -> MockBrain:
        """Read a script.

        Raises:
            InputError: no such file, not YAML, not of the form, or a source file that is not there.
        """
        document = read_document(path)
        script = validate(ScriptModel, document, document.value)
        return cls([_with_source(answer, path.parent) for answer in script.answers], name=f"mock:{path.stem}")

    def propose(self, request: RepairRequest) -> tuple[Proposal, ...]:
        """Return the answer for this attempt; empty after the last.

        Raises:
            BrainUnavailable: the script says so.
        """
        fitting = [a for a in self._answers if a.assertion in ("", request.assertion)]
        made = sum(attempt.brain == self.name for attempt in request.attempts)
        if made >= len(fitting):
            return ()
        answer = fitting[made]
        if answer.unavailable:
            raise BrainUnavailable(f"{self.name}: {answer.unavailable}")
        return (Proposal(answer.diagnosis, answer.edit_kind, answer.source, answer.changed_assumptions),)

    def close(self) -> None:
        """Nothing is open."""


def _with_source(answer: AnswerModel, folder: Path) -> AnswerModel:
    if not answer.source_file:
        return answer
    source, _ = read_text(folder / answer.source_file)
    return answer.model_copy(update={"source": source, "source_file": ""})
