"""`policy.approval: human`: nothing flies before a person says so, and what is said is bound to hashes and recorded."""

import dataclasses
import json
import sqlite3

import pytest

from healing_runtime import Approve, Reject, Runtime, resume, workspace
from healing_runtime.core.codec import digest
from healing_runtime.core.errors import InputError, RecordError
from healing_runtime.ledger.store import Ledger
from healing_runtime.supervisor.approval import Bound, by_people, by_record, review_of, settle
from healing_runtime.supervisor.replay import replay
from healing_runtime.telemetry.mcap import read_log
from healing_runtime.telemetry.record import RunFolder
from tests.supervisor import reviewed


@pytest.fixture(scope="module")
def flown(tmp_path_factory):
    """A run that ended awaiting approval, flown once, with its workspace."""
    folder = tmp_path_factory.mktemp("reviewed")
    home = workspace.open(folder)
    brain = reviewed.made(folder)
    return Runtime(reviewed.SCENARIO, brain=brain, workspace=home).run(), home


@pytest.fixture
def run(flown, tmp_path):
    """A copy of it with its ledger."""
    return reviewed.copied(flown[0].folder, tmp_path / "runs")


def events(run):
    messages = [json.loads(m.data) for m in read_log(run / "log.mcap").messages if m.topic == "/event"]
    return [m["decision"] if m["event"] == "approval" else m["event"] for m in messages]


def contents(run):
    return {p.relative_to(run): p.read_bytes() for p in run.parent.rglob("*") if p.is_file() and "ledger" not in p.name}


def test_an_accepted_patch_waits_and_nothing_new_has_flown(flown):
    document = flown[0].document
    incident = document["incidents"][0]
    assert (document["outcome"], flown[0].exit_code) == ("awaiting_approval", 5)
    assert (incident["healed"], incident["ending"]) == (False, "awaiting_approval")
    assert document["ticks"] == incident["tick"] and document["final_branch"] == 0
    assert document["controller"]["final"] == document["controller"]["initial"]
    assert events(flown[0].folder)[-2:] == ["ask", "pending"]
    assert reviewed.states(flown[0].folder) == ["pending"]


def test_a_run_that_still_waits_is_given_back_as_it_is(flown, run):
    before = contents(run)
    asked = []
    for approve in (None, lambda review: asked.append(review)):
        again = resume(run, approve=approve, home=flown[1])
        assert again.exit_code == 5 and again.document == flown[0].document
    assert contents(run) == before
    assert asked[0] == reviewed.review(run) and "\n+" in asked[0].diff


@pytest.mark.parametrize("incidents", [[], 7, [{"ending": "awaiting_approval"}]])
def test_a_result_that_names_no_incident_that_waits_is_damaged(flown, run, incidents):
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps({**result, "incidents": incidents}))
    with pytest.raises(RecordError, match=r"result\.json is damaged: a patch waits for approval"):
        resume(run, home=flown[1])


def test_who_is_asked_when_a_run_goes_on_is_shown_what_was_judged(flown, run):
    with sqlite3.connect(run.parent / "ledger.sqlite3") as database:
        edit = "json_set(document, '$.diff', '+PARAMS', '$.brain', 'human:ann', '$.diagnosis', 'harmless')"
        database.execute(f"UPDATE patches SET document = {edit}")
    database.close()
    asked = []
    resume(run, approve=lambda review: asked.append(review), home=flown[1])
    assert asked == [reviewed.review(flown[0].folder)]


def test_an_approved_patch_flies_and_the_run_stays_one(flown, run):
    early = read_log(run / "log.mcap").messages
    incident = flown[0].document["incidents"][0]["id"]
    attempts = RunFolder(run).read_attempts(incident)
    healed = resume(run, approve=lambda review: Approve("ann", "read it"), home=flown[1])
    assert RunFolder(run).read_attempts(incident) == attempts
    assert (healed.document["outcome"], healed.exit_code) == ("healed", 0)
    assert healed.document["run_id"] == flown[0].document["run_id"]
    assert read_log(run / "log.mcap").messages[: len(early)] == early
    assert events(run)[-7:] == ["pending", "approved", "approved", "swap", "swap", "probation_passed", "finish"]
    assert reviewed.states(run) == ["active"]
    assert not [p for p in run.iterdir() if p.name.startswith(".")]
    with Ledger(run.parent / "ledger.sqlite3") as ledger:
        kept = ledger.patches()[0]
        assert kept["decision"]["program_sha256"] == kept["approval"]["bound"]["program"]
        assert ledger.run(run.name)["result"]["outcome"] == "healed"
    result = replay(run, verify=True, home=flown[1])
    assert result.exit_code == 0, result.document
    with pytest.raises(InputError, match=r"has ended \(healed\)"):
        resume(run, home=flown[1])


@pytest.mark.slow
def test_a_rejected_patch_is_a_refusal_with_the_reason_and_the_brain_goes_on(flown, run):
    refused = resume(run, approve=lambda r: Reject("too fast", "ann") if r.number == 1 else None, home=flown[1])
    first, second = refused.document["incidents"][0]["attempts"]
    assert (first["verdict"], first["stage"]) == ("refused", "approval")
    assert first["reason"] == "a reviewer rejected it: too fast"
    assert second["verdict"] == "accepted" and refused.exit_code == 5
    assert reviewed.states(run) == ["rejected", "pending"]
    assert reviewed.review(run).evidence["stages"][-1]["facts"]["neighbourhood"]["number"] == 2
    incident = run / "incidents" / refused.document["incidents"][0]["id"]
    assert "too fast" in (incident / "approval-01.json").read_text()
    assert (incident / "attempt-01-rejected-patch.diff").exists()


@pytest.mark.slow
def test_a_run_that_ended_awaiting_approval_ends_so_again(flown):
    result = replay(flown[0].folder, verify=True, home=flown[1])
    assert (result.exit_code, result.document["outcome"]) == (0, "awaiting_approval"), result.document


@pytest.mark.slow
def test_a_record_whose_approval_is_gone_does_not_fly_again(flown, run):
    resume(run, approve=lambda review: Approve("ann"), home=flown[1])
    next(run.glob("incidents/*/approval-01.json")).unlink()
    result = replay(run, verify=True, home=flown[1])
    assert result.exit_code == 3 and "approval-01.json: missing in the record" in result.document["divergence"]["what"]


@pytest.mark.slow
def test_a_rejected_and_an_approved_patch_in_one_run(flown, run):
    answers = iter((Reject("too fast"), Approve("ann")))
    healed = resume(run, approve=lambda review: next(answers), home=flown[1])
    assert healed.document["outcome"] == "healed"
    incident = healed.document["incidents"][0]["id"]
    assert replay(run, verify=True, home=flown[1]).exit_code == 0
    assert replay(run, verify=True, from_incident=incident, home=flown[1]).exit_code == 0


@pytest.mark.slow
def test_an_answer_at_once_is_the_same_run_as_one_given_later(flown, run, tmp_path):
    later = resume(run, approve=lambda review: Approve("ann"), home=flown[1])
    brain = reviewed.made(tmp_path / "other")
    home = workspace.open(tmp_path / "other")
    asked = []

    def approve(review):
        asked.append(review)
        return Approve("ann")

    at_once = Runtime(reviewed.SCENARIO, brain=brain, workspace=home, approve=approve).run()
    assert len(asked) == 1 and at_once.document["outcome"] == "healed"
    assert at_once.document["digest"] == later.document["digest"]


# ---------------------------------------------------------------- decisions, without a flight
def ledger_of(run):
    return Ledger(run.parent / "ledger.sqlite3")


def test_an_answer_is_durable_and_is_not_asked_for_again(run):
    review = reviewed.review(run)
    with ledger_of(run) as ledger:
        first = by_people(ledger, lambda _: Approve("ann", " read\nit "))(review)
    with ledger_of(run) as ledger:
        again = by_people(ledger, None)(review)
    assert first == again and (again.by, again.note, again.bound) == ("ann", "read it", review.bound)


def test_a_decision_is_for_the_hashes_it_was_made_on(run):
    review = reviewed.review(run)
    with ledger_of(run) as ledger:
        settle(ledger, review, Approve("ann"))
        for name in ("patch", "evidence", "scenario"):
            other = Bound(**{**vars(review.bound), name: "sha256:0"})
            assert by_people(ledger, None)(type(review)(**{**vars(review), "bound": other})) is None


def test_nobody_decides_on_evidence_of_another_executable(run):
    review = reviewed.review(run)
    other = dataclasses.replace(review, bound=dataclasses.replace(review.bound, program="sha256:0"))
    with ledger_of(run) as ledger:
        for decide in (by_people(ledger, None), lambda review: settle(ledger, review, Approve("ann"))):
            with pytest.raises(InputError, match="of another executable"):
                decide(other)
        row = ledger.patches()[0]
    row["approval"]["bound"]["program"] = "sha256:0"
    with pytest.raises(InputError, match="of another executable"):
        review_of(row)


def test_what_somebody_else_decided_meanwhile_counts(run):
    review = reviewed.review(run)

    def ask(_):
        with ledger_of(run) as other:
            settle(other, review, Reject("no", "ben"))
        return Approve("ann")

    with ledger_of(run) as ledger:
        found = by_people(ledger, ask)(review)
    assert (found.decision, found.by, found.note) == ("rejected", "ben", "no")


def test_a_rejection_needs_a_reason_and_an_answer_is_one_of_three(run):
    with ledger_of(run) as ledger:
        with pytest.raises(InputError, match="needs a reason"):
            settle(ledger, reviewed.review(run), Reject(" "))
        with pytest.raises(InputError, match="is no answer to a review"):
            settle(ledger, reviewed.review(run), True)
    assert reviewed.states(run) == ["pending"]


@pytest.mark.parametrize("what", ["after", "evidence"])
def test_a_patch_that_was_changed_in_the_ledger_is_not_decided_on(run, what):
    with ledger_of(run) as ledger:
        row = ledger.patches()[0]
    row[what] = "else" if what == "after" else {**row["evidence"], "brain": "else"}
    with pytest.raises(InputError, match="changed in the ledger"):
        review_of(row)


def test_a_recorded_decision_is_checked_against_what_it_is_for(run):
    review, folder = reviewed.review(run), RunFolder.open(run)
    decide = by_record(folder)
    assert decide(review) is None, "no decision was recorded: it waits, as it did then"
    with ledger_of(run) as ledger:
        approval = settle(ledger, review, Approve("ann"))
    folder.write_incident(review.incident, "approval-01.json", vars(approval) | {"bound": vars(approval.bound)})
    assert decide(review) == approval
    for name in ("patch", "scenario", "evidence"):
        bound = {**vars(approval.bound), name: digest("else")}
        folder.write_incident(review.incident, "approval-01.json", vars(approval) | {"bound": bound})
        with pytest.raises(RecordError, match="for another patch, evidence or scenario"):
            decide(review)
    folder.write_incident(review.incident, "approval-01.json", {"decision": "perhaps"})
    with pytest.raises(RecordError, match="is damaged"):
        decide(review)
