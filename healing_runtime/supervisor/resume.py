"""A run that goes on: one that waits for approval, or that was killed. It stays one run, with one log and one result.

What the record holds is executed again, from t = 0 up to where it ends: the recorded actions fly, the recorded
proposals are proposed. What the gate said of a proposal is taken over where this workspace's ledger has it, with the
executable of that sha256; where anything is missing or differs, the gate judges from there on. Then the run goes on as
it began. Record and ledger are claims: what a run was begun with, and what its gate said, counts where the user's
private cache vouches for it (`vouching.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from healing_runtime import workspace
from healing_runtime.brains import catalogue
from healing_runtime.core.codec import digest
from healing_runtime.core.errors import InputError, OutsideError, RecordError, ReplayDivergence
from healing_runtime.core.status import Outcome
from healing_runtime.ledger.store import Ledger
from healing_runtime.ledger.vouchers import Vouchers
from healing_runtime.supervisor import surroundings, vouching
from healing_runtime.supervisor.accepted import as_accepted
from healing_runtime.supervisor.approval import AWAITING, Ask, by_people, review_of
from healing_runtime.supervisor.continued import ContinuedLog
from healing_runtime.supervisor.memoir import Memoir
from healing_runtime.supervisor.places import LEDGER
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.supervisor.recall import Recalled, SnapshotDiffers, recalled
from healing_runtime.supervisor.record import Record
from healing_runtime.supervisor.replay import conditions
from healing_runtime.supervisor.result import RunResult
from healing_runtime.supervisor.resumption import GoingOn, Resumption, entries_of
from healing_runtime.supervisor.runtime import Runtime
from healing_runtime.supervisor.settings import Settings
from healing_runtime.telemetry.mcap import LogWriter
from healing_runtime.telemetry.record import RunFolder

Narrate = Callable[[str], None]


def resume(
    run: str | Path,
    *,
    approve: Ask | None = None,
    brain_fallback: bool = True,
    strict: bool = False,
    progress: Narrate | None = None,
    home: Any = None,
) -> RunResult:
    """Go on with a run that waits for approval or was killed. One that still waits is given back as it is.

    Args:
        run: the run folder; its ledger lies beside it.
        approve: asks a person about a patch that waits; see `Runtime`.
        brain_fallback: let the embedded brain go on where a remote one cannot be reached.
        strict: as for a run.
        progress: told what happens, one line a time.
        home: the workspace to find the robot in; by default the one around the current folder.

    Raises:
        InputError: the run has ended, was begun on another machine, version or simulation, or nothing here vouches for
            what it was begun with.
        RecordError: the record is damaged, or another process flies this run.
        ReplayDivergence: executed again, it is not what was recorded.
    """
    home, narrate = home or workspace.open(), progress or (lambda _: None)
    folder = RunFolder.open(Path(run))
    with folder.claim():
        if not folder.log_path.exists():  # killed before there was one
            LogWriter(folder.log_path, {}, run=folder.run_id).close()
        record = Record.open(folder.path)
        _must_go_on(record)
        vouchers = Vouchers.here()
        prepared = _prepared(record, home, vouchers)
        _must_be_here(record, prepared)
        _must_be_vouched_for(record, vouchers)
        brain = str(record.manifest["brain"])
        if brain != "none":
            _check(brain, brain_fallback)
        with Ledger(record.folder.path.parent / LEDGER) as ledger:
            if _waits(record, ledger, approve):
                assert record.result is not None
                return RunResult(record.result, Outcome.AWAITING_APPROVAL, record.folder.path, strict)
            entries = entries_of(record, ledger)
        narrate(f"going on with {record.folder.run_id}")
        scenario = digest(prepared.scenario)
        resumption = Resumption(record.folder, _recorded(record, prepared), entries, scenario, vouchers)
        log = ContinuedLog(record.folder, record.log.messages)
        settings = Settings(
            brain=brain,
            brain_fallback=brain_fallback,
            strict=strict,
            out=record.folder.path.parent,
            make_brain=None if brain == "none" else lambda context: GoingOn(record.folder, brain, context),
            recall=resumption,
            approve=approve,
            memory=bool(record.manifest.get("memory", True)),
            answered=frozenset(incident for incident in folder.incident_ids() if folder.read_attempts(incident)),
            reopen=lambda prepared, settings, started, narrate: Memoir.reopen(
                prepared, settings, log, record.manifest, started, narrate
            ),
        )
        try:
            return Runtime(prepared, progress=narrate, settings=settings).run()
        except SnapshotDiffers as differs:
            what = f"executed again the run is not what it was ({differs})"
            raise ReplayDivergence(f"{record.folder.path}: {what}; see heal replay --verify.") from None


# ---------------------------------------------------------------- what must be right before anything flies
def _must_go_on(record: Record) -> None:
    result, path, run = record.result, record.folder.path, record.manifest["run_id"]
    if run != record.folder.run_id:
        raise InputError(f"{path} is a copy of the run {run}; a run goes on under its own name, where its ledger lies.")
    if result is not None and result.get("outcome") != Outcome.AWAITING_APPROVAL.value:
        raise InputError(f"{path} has ended ({result.get('outcome')}); heal replay executes it again.")
    if not record.log.complete and not record.log.truncated:
        raise RecordError(
            f"{path}: log.mcap is damaged, not cut off ({record.log.broken_at}); such a run cannot go on. Run the "
            "scenario anew."
        )


def _prepared(record: Record, home: Any, vouchers: Vouchers) -> Prepared:
    """What was flown; where no regressions are vouched for, they are before it, as its manifest lists them."""
    prepared = record.prepared(home)
    if vouchers.vouched(vouching.qualified(record.folder.run_id, prepared.loaded.regressions)):
        return prepared
    listed = tuple(record.manifest.get("regressions", ()))
    return dataclasses.replace(prepared, loaded=dataclasses.replace(prepared.loaded, regressions=None, listed=listed))


def _must_be_here(record: Record, prepared: Prepared) -> None:
    """A run goes on where it began: only there it comes out the same to the last bit."""
    here = conditions(record.manifest, prepared)
    simulation = () if here["same_simulation"] else ("the code of the simulation",)
    same_runtime = surroundings.here(prepared, ()).runtime == prepared.loaded.surroundings.runtime
    runtime = () if same_runtime else ("the code of the runtime",)
    if differing := [*here["fingerprint_differences"], *simulation, *runtime]:
        raise InputError(
            f"{record.folder.path} cannot go on here, for it would not come out the same: it began with another value "
            f"of {', '.join(differing)}. Run the scenario anew."
        )


def _must_be_vouched_for(record: Record, vouchers: Vouchers) -> None:
    """The scenario, and with it whether a person is asked, and the actions that fly up to an incident are a record's.

    The record lies in the workspace.
    """
    folder, run = record.folder, record.folder.run_id
    wanted = {"record": vouching.begun(run, str(record.manifest["inputs_sha256"]))}
    for incident in _whole(folder):
        document = folder.read_incident(incident, "incident.json")
        wanted[f"incident {incident}"] = vouching.happened(run, incident, document)
    for what, document in wanted.items():
        if not vouchers.vouched(document):
            raise InputError(
                f"{folder.path} cannot go on: nothing here vouches for its {what}. It was changed, or begun by another "
                "user, or the private cache was cleared or is off. Run the scenario anew."
            )


def _check(brain: str, fallback: bool) -> None:
    try:
        catalogue.check(brain)
    except OutsideError:
        if not fallback:
            raise


def _waits(record: Record, ledger: Ledger, approve: Ask | None) -> bool:
    """Whether a patch of the run waits and nobody decides on it now either."""
    if record.result is None:
        return False
    waiting = _waiting(record)
    rows = (p for p in ledger.patches() if p["run"] == record.folder.run_id and p["incident"] == waiting["id"])
    row = next((p for p in rows if p["sha256"] == waiting["patch"]), None)
    if row is None:
        return False  # the ledger is another one: the run is executed again and asks anew
    return by_people(ledger, approve)(review_of(as_accepted(row))) is None


def _waiting(record: Record) -> Mapping[str, Any]:
    """The incident of which the result says that its patch waits."""
    stories = (record.result or {}).get("incidents")
    told = [s for s in stories if isinstance(s, Mapping)] if isinstance(stories, list) else []
    found = next((s for s in told if s.get("ending") == AWAITING and {"id", "patch"} <= set(s)), None)
    if found is None:
        raise RecordError(
            f"{record.folder.path}: result.json is damaged: a patch waits for approval, and no incident in it has one; "
            "run the scenario anew."
        )
    return found


# ---------------------------------------------------------------- what is taken over
def _recorded(record: Record, prepared: Prepared) -> tuple[Recalled, ...]:
    """The incidents that were written down whole."""
    folder, width = record.folder, prepared.table.action.size
    return tuple(recalled(record, incident, {}, width) for incident in _whole(folder))


def _whole(folder: RunFolder) -> tuple[str, ...]:
    return tuple(i for i in folder.incident_ids() if "incident.json" in folder.incident_files(i))
