"""A cassette: exchanges of any brain, recorded once and played back without it. JSON lines, one exchange a line.

    {"format": "healing-cassette-1", "brain": "gemini:…", "key": "sha256:…", "about": {…}, "proposals": […]}

A request finds its answer by what it *asks* (robot, source, violated clause, what was tried and where it was refused),
not by the measured numbers in it: those may differ in the last digit between two processors. The same question asked
again gets the next recorded answer, and after the last one that again.
"""

from __future__ import annotations

import collections
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pydantic

from healing_runtime.brains.answer import ProposalModel
from healing_runtime.brains.brain import Brain
from healing_runtime.core import codec
from healing_runtime.core.errors import BrainUnavailable, FileFormatError, InputError, Location, OutsideError
from healing_runtime.core.records import Proposal, RepairRequest

FORMAT = "healing-cassette-1"
MAX_LINE_CHARS = 5_000_000


class ExchangeModel(pydantic.BaseModel):
    """One line of the file."""

    model_config = pydantic.ConfigDict(extra="forbid")

    format: Literal["healing-cassette-1"] = FORMAT
    brain: str
    key: str
    about: dict[str, Any] = {}
    proposals: list[ProposalModel]


def question(request: RepairRequest) -> Mapping[str, Any]:
    """Return what identifies a request across machines; its digest is the key of an exchange."""
    return {
        "robot": request.robot,
        "source": request.source,
        "assertion": request.assertion,
        "clause": request.clause,
        "mission": request.mission,
        "attempts": [
            {
                "source": codec.digest(a.proposal.source),
                "refused": next((str(s.stage) for s in a.stages if not s.accepted), ""),
            }
            for a in request.attempts
        ],
    }


class Cassette:
    """The exchanges of one file.

    Raises:
        InputError: no such file (with `must_exist`), or a line that is not an exchange, with its number.
    """

    def __init__(self, path: Path, *, must_exist: bool = True) -> None:
        self.path = path
        self._answers: dict[str, list[tuple[Proposal, ...]]] = collections.defaultdict(list)
        self._played: collections.Counter[str] = collections.Counter()
        if must_exist or path.exists():
            self._read()

    def play(self, request: RepairRequest) -> tuple[Proposal, ...] | None:
        """Return the recorded answer, or None if this was never asked."""
        key = codec.digest(question(request))
        answers = self._answers.get(key)
        if not answers:
            return None
        self._played[key] += 1
        return answers[min(self._played[key], len(answers)) - 1]

    def record(self, brain: str, request: RepairRequest, proposals: tuple[Proposal, ...]) -> None:
        """Append an exchange; it is on disk when this returns.

        Raises:
            OutsideError: the file cannot be written.
        """
        asked = question(request)
        key = codec.digest(asked)
        asked_before = len(request.attempts)
        line = {
            "format": FORMAT,
            "brain": brain,
            "key": key,
            "about": {"assertion": request.assertion, "controller": request.controller, "attempt": asked_before + 1},
            "proposals": [
                {name: codec.plain(getattr(p, name)) for name in ProposalModel.model_fields} for p in proposals
            ],
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, sort_keys=True, ensure_ascii=True) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutsideError(f"{self.path}: cannot record to this cassette ({error.strerror}).") from None
        self._answers[key].append(proposals)
        self._played[key] = len(self._answers[key])

    def _read(self) -> None:
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            why = f"cannot read this cassette ({error.strerror}); record one with cassette:FILE=BRAIN."
            raise InputError(why, where=Location(str(self.path))) from None
        except UnicodeDecodeError:
            raise FileFormatError("not a cassette: it is not UTF-8 text.", where=Location(str(self.path))) from None
        for number, line in enumerate(lines, start=1):
            if line.strip():
                exchange = _exchange(line, Location(str(self.path), number))
                self._answers[exchange.key].append(tuple(p.proposal() for p in exchange.proposals))


class CassetteBrain:
    """Plays a cassette; with an inner brain, asks it what the cassette does not hold and records the answer."""

    def __init__(self, cassette: Cassette, inner: Brain | None = None) -> None:
        self.name = f"cassette:{cassette.path.stem}"
        self._cassette = cassette
        self._inner = inner

    def propose(self, request: RepairRequest) -> tuple[Proposal, ...]:
        """Return what was recorded for this question.

        Raises:
            BrainUnavailable: nothing was, and there is no inner brain (or it raised).
        """
        recorded = self._cassette.play(request)
        if recorded is not None:
            return recorded
        if self._inner is None:
            attempt = f"attempt {len(request.attempts) + 1} at '{request.assertion}'"
            raise BrainUnavailable(
                f"{self._cassette.path} holds no answer for {attempt}; record one with cassette:FILE=BRAIN."
            )
        proposals = self._inner.propose(request)
        self._cassette.record(self._inner.name, request, proposals)
        return proposals

    def close(self) -> None:
        """Close the inner brain."""
        if self._inner is not None:
            self._inner.close()


def _exchange(line: str, where: Location) -> ExchangeModel:
    if len(line) > MAX_LINE_CHARS:
        raise FileFormatError(f"not an exchange: longer than {MAX_LINE_CHARS} characters.", where=where)
    try:
        return ExchangeModel.model_validate_json(line)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or "the line"
    raise FileFormatError(f"not an exchange: {place}: {first['msg']}.", where=where)
