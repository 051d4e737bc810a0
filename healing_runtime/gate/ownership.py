"""Stage 3: what a patch may not touch. Pure syntax."""

from __future__ import annotations

from collections.abc import Callable

from healing_runtime.core.errors import SubsetError
from healing_runtime.core.records import Source
from healing_runtime.core.status import Stage
from healing_runtime.gate.records import Candidate
from healing_runtime.language import ownership
from healing_runtime.language import source as language_source


def checker(original: Source) -> Callable[[Candidate], Candidate]:
    """The stage for patches of one controller, whose contract asserts every patch must leave as they are."""
    owner = language_source.parse(original.text, name=original.name, path=original.path)

    def check(candidate: Candidate) -> Candidate:
        flying = candidate.flying
        try:
            patched = candidate.parsed or _parse(candidate.source)
        except SubsetError as error:
            return candidate.stopped(Stage.OWNERSHIP, error.message, error.where.line if error.where else None)
        if candidate.proposal.edit_kind == "parameters":
            before = owner if flying.sha256 == original.sha256 else _parse(flying)
            if not ownership.edits_only_params(before, patched):
                return candidate.stopped(
                    Stage.OWNERSHIP, "edit_kind is 'parameters', but more than values inside PARAMS has changed."
                )
        findings = ownership.check(owner, patched)
        for finding in findings:
            if finding.severity == "error":
                return candidate.stopped(Stage.OWNERSHIP, finding.message, finding.line)
        return candidate.passed(Stage.OWNERSHIP, {"warnings": [f.message for f in findings]})

    return check


def _parse(source: Source) -> language_source.Parsed:
    return language_source.parse(source.text, name=source.name, path=source.path)
