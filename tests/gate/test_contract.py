from __future__ import annotations

import dataclasses

import gate_kit as kit
import pytest

from healing_runtime.gate import contract
from healing_runtime.gate.policy import candidate_of

FLYING = kit.source(kit.DROPS)


def judged(**changes):
    proposal = dataclasses.replace(kit.proposal(kit.GOOD), **changes)
    return contract.check(candidate_of(proposal, kit.incident(), (), FLYING)).stages[-1]


def test_a_whole_different_controller_passes():
    assert judged().accepted


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": "  \n"}, "source is empty"),
        ({"source": kit.DROPS}, "unchanged"),
        ({"source": "x" * 70_000}, "70000 bytes"),
        ({"source": None}, "must be text"),
        ({"source": "\ud800"}, None),
        ({"edit_kind": "diff"}, "'parameters' or 'file'"),
        ({"diagnosis": "long " * 10_000}, "too long"),
        ({"edit_kind": "x" * 999}, "'parameters' or 'file'"),
        ({"diagnosis": "a\x1b[2Jb"}, "plain text"),
        ({"diagnosis": "a\ud800"}, "plain text"),
        ({"changed_assumptions": ("it is \x00",)}, "plain text"),
        ({"changed_assumptions": None}, "list of text"),
        ({"changed_assumptions": (1,)}, "list of text"),
        ({"changed_assumptions": ("a",) * 40}, "too long"),
    ],
)
def test_what_is_not_a_proposal_is_refused_with_its_reason(changes, reason):
    result = judged(**changes)
    assert result.stage == "contract"
    if reason is None:
        assert result.accepted, "a later stage refuses what is not ASCII"
    else:
        assert not result.accepted and reason in result.reason
