"""What a run writes down of its incidents, of what was tried and how it ended: in folder, log and ledger."""

from __future__ import annotations

from typing import Any

from healing_runtime.core.codec import digest, plain
from healing_runtime.core.records import Incident, Scenario
from healing_runtime.gate.standing import Find, nothing_kept
from healing_runtime.ledger.store import Ledger
from healing_runtime.ledger.vouchers import Vouchers
from healing_runtime.repair.repair import Judged
from healing_runtime.supervisor import vouching
from healing_runtime.supervisor.journal import Journal
from healing_runtime.supervisor.result import IncidentStory
from healing_runtime.telemetry.record import RunFolder

STANDS_ON = "stands-on.json"
"""How the file ends that holds the evidence with which a remembered patch came, as the gate of the run saw it."""


class IncidentWriter:
    """Writes down incidents as they happen. One object a run.

    Attributes:
        evidence_of: finds by its hash the evidence on which a remembered patch stands.
    """

    def __init__(
        self,
        scenario: Scenario,
        folder: RunFolder,
        ledger: Ledger | None,
        journal: Journal,
        vouchers: Vouchers,
        *,
        again: bool = False,
    ) -> None:
        """`again` says that the run goes on, so that the ledger may have its incidents already."""
        self._scenario, self._folder, self._ledger = scenario, folder, ledger
        self._journal, self._vouchers, self._again = journal, vouchers, again
        self._exchanges = folder.exchanges()
        self.evidence_of: Find = nothing_kept

    def happened(self, incident: Incident) -> None:
        """A new incident: its snapshot and what is known of it."""
        snapshot = incident.snapshot
        document = {
            **{k: plain(getattr(incident, k)) for k in ("id", "assertion", "clause", "english", "tick", "robustness")},
            "severity": incident.severity.value,
            "status": incident.status.word,
            "snapshot": {
                "tick": snapshot.tick,
                "state_hash": snapshot.state_hash,
                "recipe_actions": plain(snapshot.recipe_actions),
                "onsets": plain(snapshot.onsets),
                "carry": [plain(v) for v in snapshot.carry],
            },
        }
        self._vouchers.vouch(vouching.happened(self._folder.run_id, incident.id, document))
        self._folder.write_incident(incident.id, "incident.json", document)
        self._journal.event(
            incident.tick,
            "incident",
            id=incident.id,
            assertion=incident.assertion,
            status=incident.status.word,
            robustness=incident.robustness,
            state_hash=snapshot.state_hash,
        )
        if self._ledger is not None:
            self._ledger.record_incident(
                incident.id,
                self._folder.run_id,
                {
                    "assertion": incident.assertion,
                    "english": incident.english,
                    "clause": incident.clause,
                    "tick": incident.tick,
                    "t_s": incident.tick / self._scenario.control_hz,
                    "robustness": plain(incident.robustness),
                    "scenario": self._scenario.name,
                },
                again=self._again,
            )

    def attempt(self, story: IncidentStory, judged: Judged) -> None:
        """A proposal and what the gate said, verbatim."""
        attempt, decision = judged.attempt, judged.decision
        story.attempts.append((attempt, decision.accepted))
        for phase, seconds in decision.wall_s.items():
            story.breakdown_s[phase] = story.breakdown_s.get(phase, 0.0) + seconds
        story.breakdown_s["propose"] += judged.propose_s
        entry = {
            "brain": attempt.brain,
            "proposal": plain(attempt.proposal),
            "policy": decision.policy,
            "accepted": decision.accepted,
            "stages": plain(attempt.stages),
            "wall_s": plain(decision.wall_s),
            "stage_s": plain(decision.stage_s),
        }
        if decision.not_remembered:
            entry["not_remembered"] = decision.not_remembered
        run, incident, number = self._folder.run_id, story.incident, len(story.attempts)
        if not decision.accepted:  # an acceptance is vouched for with its evidence
            self._vouchers.vouch(vouching.judged(run, incident.id, number, attempt.proposal, decision, None))
        if (stands_on := self.evidence_of(attempt.proposal.stands_on)) is not None:
            self._folder.write_incident(incident.id, f"attempt-{number:02d}-{STANDS_ON}", stands_on)
        self._folder.write_incident(incident.id, f"attempt-{number:02d}.json", entry)
        self._journal.event(
            incident.tick,
            "attempt",
            incident=incident.id,
            number=number,
            brain=attempt.brain,
            proposal=digest(attempt.proposal.source),
            accepted=decision.accepted,
            stages=attempt.stages,
        )
        if self._ledger is not None:
            self._ledger.record_attempt(incident.id, run, number, entry)

    def exchange(self, exchange: Any) -> None:
        """A prompt and an answer of a remote brain, verbatim; keys were cut out before."""
        self._exchanges += 1
        self._folder.write_incident(exchange.incident_id, f"exchange-{self._exchanges:02d}.json", plain(exchange))

    def ended(self, story: IncidentStory) -> None:
        """Healed, or without a patch; `story.ending` says why."""
        self._folder.write_incident(
            story.incident.id, "ending.json", {"ending": story.ending, "detail": story.detail, "patch": story.patch}
        )
