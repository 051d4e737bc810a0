"""`heal patches list | show | diff | approve | reject | export | apply | rollback`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from healing_runtime.cli import output, reviewing, stages

PLACE = 50

By = Annotated[str | None, typer.Option(metavar="NAME", help="Who decides; your user name if left out.")]
Run = Annotated[str | None, typer.Option(metavar="RUN", help="The run in which it waits, where it waits in several.")]
PatchId = Annotated[str, typer.Argument(help="A patch's hash, or its first characters; 'sha256:' may be left out.")]


def register(program: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="What was accepted, from the ledger.", no_args_is_help=True, epilog="Example: heal patches list"
    )
    group.command("list", epilog="Example: heal patches list --json")(list_patches)
    group.command("show", epilog="Example: heal patches show 1c9e")(show_patch)
    group.command("diff", epilog="Example: heal patches diff 1c9e | less")(diff_patch)
    group.command("approve", epilog="Example: heal patches approve 1c9e --note 'read the diff'")(approve_patch)
    group.command("reject", epilog="Example: heal patches reject 1c9e --reason 'the gain is too high'")(reject_patch)
    group.command("export", epilog="Example: heal patches export 1c9e --to review")(export_patch)
    group.command("apply", epilog="Example: heal patches apply 1c9e")(apply_patch)
    group.command("rollback", epilog="Example: heal patches rollback 1c9e")(rollback_patch)
    program.add_typer(group, name="patches")


def list_patches(out: output.RunsOption = None, as_json: output.JsonFlag = False) -> None:
    """List every patch of this workspace, newest first."""
    from healing_runtime.app import history

    patches, damaged = history.patches(out)
    output.emit({"patches": patches, "damaged": damaged}, as_json, lambda: _rows(patches))
    output.complain(damaged)


def show_patch(patch: PatchId, out: output.RunsOption = None, as_json: output.JsonFlag = False) -> None:
    """Show a patch with the evidence that it was accepted on.

    Every stage of the gate, with its time and what it found; and the attempts before it.
    """
    from healing_runtime.app import history

    document = history.patch(patch, out)
    output.emit(document, as_json, lambda: _details(document))


def diff_patch(patch: PatchId, out: output.RunsOption = None, as_json: output.JsonFlag = False) -> None:
    """Print a patch as a unified diff."""
    from healing_runtime.app import history

    document = history.patch(patch, out)
    short = {"sha256": document["sha256"], "controller": document["controller"], "diff": document["diff"]}
    output.emit(short, as_json, lambda: document["diff"].splitlines())


def approve_patch(
    patch: PatchId,
    by: By = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Kept with the decision.")] = "",
    run: Run = None,
    out: output.RunsOption = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Let a patch that waits for approval fly.

    It flies once its run goes on: heal run --resume RUN. The decision is for this patch, its evidence, its scenario
    and its executable, and is not taken back.
    """
    from healing_runtime.app import approvals

    document = approvals.approve(patch, by=by, note=note, run=run, out=out)
    output.emit(document, as_json, lambda: reviewing.decided(document))


def reject_patch(
    patch: PatchId,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; the brain is told it.")],
    by: By = None,
    run: Run = None,
    out: output.RunsOption = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Refuse a patch that waits for approval.

    Once its run goes on, the brain is told the reason, and its other attempts and budgets remain.
    """
    from healing_runtime.app import approvals

    document = approvals.reject(patch, reason, by=by, run=run, out=out)
    output.emit(document, as_json, lambda: reviewing.decided(document))


def export_patch(
    patch: Annotated[str, typer.Argument(help="A patch's hash, or its first characters; with --verify, a file.")],
    to: Annotated[Path, typer.Option(help="The folder that gets the files.")] = Path(),
    verify: Annotated[
        bool, typer.Option("--verify", help="Check an exported '*.evidence.json' and the patch beside it instead.")
    ] = False,
    out: output.RunsOption = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Write a patch and its evidence for review.

    The patch is a diff that git applies in the workspace; the evidence is JSON. With --verify, the two files that
    somebody sent are checked.
    """
    from healing_runtime.app import package, patches

    if verify:
        found = package.verify(Path(patch))
        said = [f"patch {found['sha256']} of {found['controller']}, written by {found['brain']}: the package is whole"]
        output.emit(found, as_json, lambda: said + [f"  {check}" for check in found["checked"]])
        return
    document = patches.export(patch, to, out)
    output.emit(document, as_json, lambda: document["files"])


def apply_patch(patch: PatchId, out: output.RunsOption = None, as_json: output.JsonFlag = False) -> None:
    """Write a patch into this workspace's controller.

    Only one that stayed in its flight. The file must still be the one that the patch was written for.
    """
    from healing_runtime.app import patches

    document = patches.apply(patch, out)
    output.emit(document, as_json, lambda: [f"{document['done']}: {document['file']}"])


def rollback_patch(patch: PatchId, out: output.RunsOption = None, as_json: output.JsonFlag = False) -> None:
    """Take an applied patch back.

    The file must still be the patched one. The patch is then 'rolled_back': it is not applied again, and no run is
    offered it from the patch memory.
    """
    from healing_runtime.app import patches

    document = patches.rollback(patch, out)
    output.emit(document, as_json, lambda: [f"{document['done']}: {document['file']}"])


def _rows(patches: list[dict[str, Any]]) -> list[str]:
    rows = [(p["sha256"][:19], p["controller"], p["brain"], p["policy"], p["state"], p["incident"]) for p in patches]
    header = ("patch", "controller", "brain", "policy", "state", "incident")
    return output.table(rows, header) or ["no patches recorded"]


def _policy(evidence: dict[str, Any]) -> str:
    """The policy of the gate that accepted, and the evidence that it stands on."""
    name, on = evidence.get("policy", "?"), evidence.get("stands_on")
    return f"{name}, on the neighbours flown for evidence {on[:19]}" if on else str(name)


def _details(document: dict[str, Any]) -> list[str]:
    skipped = ("diff", "evidence", "before", "after", "attempts", "approval", "decision", "decisions")
    lines = list(stages.fields(document, skipped))
    lines += [f"{output.word(said['decision'])}: {reviewing.who(said)}" for said in document["decisions"]]
    evidence = document["evidence"]
    lines += [f"policy: {_policy(evidence)}"]
    told = ("evidence_sha256", "confinement", "program_sha256", "mission", "takeover", "seeds", "latency")
    lines += [f"{key}: {stages.short(evidence[key])}" for key in told if evidence.get(key) is not None]
    others = document["attempts"][:-1]
    took = document["attempts"][-1].get("stage_s", {}) if document["attempts"] else {}
    lines += ["", "stages:", *stages.lines(evidence.get("stages", ()), took)]
    for n, attempt in enumerate(others, 1):
        lines += ["", *stages.of_attempt(n, attempt)]
    return [*lines, "", *document["diff"].splitlines()]
