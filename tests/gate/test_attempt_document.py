"""An attempt on record: strictly read, one chain of stages, every refusal with its reason."""

import copy
import json
from pathlib import Path

import pytest

from healing_runtime.core.codec import plain
from healing_runtime.core.errors import RecordError
from healing_runtime.core.records import Proposal
from healing_runtime.core.status import Stage
from healing_runtime.gate import attempt_document

SCHEMA = Path(__file__).parents[2] / "docs/attempt.schema.json"


def stage(name, accepted=True, reason="", line=None):
    return {"stage": name, "accepted": accepted, "reason": reason, "line": line, "facts": {}}


ATTEMPT = {
    "brain": "gemini:gemini-3-pro-preview",
    "proposal": plain(Proposal("d", "file", "x")),
    "policy": "full",
    "accepted": False,
    "stages": [stage("contract"), stage("syntax", False, "imports os", 1)],
    "wall_s": {"verify": 0.1},
    "stage_s": {"contract": 0.05, "syntax": 0.05},
}


def test_an_attempt_is_read_as_it_was_written():
    found = attempt_document.read(ATTEMPT)
    assert found.model_dump(exclude_unset=True) == ATTEMPT and found.stages[-1].line == 1


def test_every_stage_may_have_refused():
    for refused in Stage:
        before = [stage(name.value) for name in list(Stage)[: list(Stage).index(refused)]]
        document = {**ATTEMPT, "stages": [*before, stage(refused.value, False, "no")]}
        assert attempt_document.read(document).stages[-1].stage == refused


def test_a_remembered_patch_says_what_it_stands_on_and_why_it_was_judged_in_full():
    proposal = plain(Proposal("d", "file", "x", stands_on="sha256:e"))
    document = {**ATTEMPT, "proposal": proposal, "not_remembered": "its evidence is not kept here"}
    assert attempt_document.read(document).model_dump(exclude_unset=True) == document


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda d: d["stages"].reverse(), "not in the order of the gate"),
        (lambda d: d["stages"].append(stage("trace")), "judged after a refusal"),
        (lambda d: d.update(accepted=True), "not that of its last stage"),
        (lambda d: d["stages"][-1].update(reason=""), "a refusal has no reason"),
        (lambda d: d["stages"][-1].update(stage="guess"), "stages.1.stage"),
        (lambda d: d.pop("policy"), "policy: field required"),
        (lambda d: d["proposal"].pop("stands_on"), "proposal.stands_on: field required"),
        (lambda d: d["stages"][0].update(accepted=1), "valid boolean"),
        (lambda d: d.update(stages=[]), "at least 1 item"),
        (lambda d: d.update(more=1), "extra inputs"),
    ],
)
def test_what_contradicts_itself_is_no_attempt(edit, said):
    document = copy.deepcopy(ATTEMPT)
    edit(document)
    with pytest.raises(RecordError, match="this is no attempt") as caught:
        attempt_document.read(document)
    assert said in str(caught.value)


def test_the_documented_schema_is_that_of_the_reader():
    assert json.loads(SCHEMA.read_text()) == attempt_document.schema()
