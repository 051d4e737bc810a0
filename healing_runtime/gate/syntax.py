"""Stage 2: the syntax tree, against the allowlist of the language. Nothing is executed."""

from __future__ import annotations

from healing_runtime.core.errors import SubsetError
from healing_runtime.core.status import Stage
from healing_runtime.gate.records import Candidate
from healing_runtime.language import source as language_source


def check(candidate: Candidate) -> Candidate:
    """Parse the source within its caps; refuse the first construct outside TensorLang, with its line."""
    text = candidate.source
    try:
        parsed = language_source.parse(text.text, name=text.name, path=text.path)
    except SubsetError as error:
        line = error.where.line if error.where else None
        return candidate.stopped(Stage.SYNTAX, error.message, line)
    return candidate.passed(Stage.SYNTAX, parsed=parsed)
