"""Stage 1: the form of a proposal."""

from __future__ import annotations

import unicodedata

from healing_runtime.core.status import Stage
from healing_runtime.gate.records import Candidate

MAX_SOURCE_BYTES = 64 << 10
MAX_TEXT_BYTES = 16 << 10
MAX_ASSUMPTIONS = 32
_ODD = frozenset({"Cc", "Cs"})
"""Unicode's control characters and halves of pairs: the first move a terminal, the second no file can hold."""


def check(candidate: Candidate) -> Candidate:
    """Refuse a proposal that is not a whole, different controller with a diagnosis of bounded size."""
    fault = _fault(candidate)
    if fault:
        return candidate.stopped(Stage.CONTRACT, fault)
    return candidate.passed(Stage.CONTRACT, {"edit_kind": candidate.proposal.edit_kind})


def _fault(candidate: Candidate) -> str:
    proposal = candidate.proposal
    if not isinstance(proposal.source, str) or not isinstance(proposal.diagnosis, str):
        return "diagnosis and source must be text."
    if proposal.edit_kind not in ("parameters", "file"):
        return f"edit_kind is {str(proposal.edit_kind)[:40]!a}; write 'parameters' or 'file'."
    assumptions = proposal.changed_assumptions
    if not isinstance(assumptions, tuple | list) or not all(isinstance(a, str) for a in assumptions):
        return "changed_assumptions must be a list of text."
    if not proposal.source.strip():
        return "source is empty; give the whole controller file."
    size = len(proposal.source.encode(errors="surrogatepass"))
    if size > MAX_SOURCE_BYTES:
        return f"source has {size} bytes; at most {MAX_SOURCE_BYTES} are read."
    texts = (proposal.diagnosis, *proposal.changed_assumptions)
    if len(texts) > MAX_ASSUMPTIONS + 1 or sum(map(len, texts)) > MAX_TEXT_BYTES:
        return f"diagnosis and assumptions are too long; at most {MAX_TEXT_BYTES} characters are kept."
    if odd := next((c for text in texts for c in text if unicodedata.category(c) in _ODD and c not in "\n\r\t"), ""):
        return f"diagnosis and assumptions are shown to people and hold the character {odd!a}; write plain text."
    if proposal.source == candidate.flying.text:
        return "source is the controller that failed, unchanged."
    return ""
