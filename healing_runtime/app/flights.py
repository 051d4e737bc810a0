"""Fly and replay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from healing_runtime import workspace
from healing_runtime.core.errors import NotFoundInCatalogue
from healing_runtime.core.platform import pin_environment

if TYPE_CHECKING:
    from healing_runtime.supervisor.approval import Ask
    from healing_runtime.supervisor.replay import ReplayResult
    from healing_runtime.supervisor.runtime import RunResult
    from healing_runtime.workspace import LoadedScenario

Narrate = Callable[[str], None]
"""Told what happens, one line a time."""


def load_scenario(name_or_path: str | Path, *, seed: int | None = None, policy: str | None = None) -> LoadedScenario:
    """Read a scenario and resolve all that it names, from the workspace at or above the current folder.

    Raises:
        InputError: file:line:column, what is wrong, what to do.
    """
    return workspace.open().scenario(name_or_path, seed=seed, policy=policy)


def run(
    scenario: str | Path,
    *,
    brain: str = "embedded",
    brain_fallback: bool = True,
    policy: str | None = None,
    seed: int | None = None,
    out: Path | None = None,
    strict: bool = False,
    memory: bool = True,
    approve: Ask | None = None,
    narrate: Narrate | None = None,
) -> RunResult:
    """Fly a scenario under supervision; the result holds the document, the exit code and the run's folder."""
    pin_environment()
    from healing_runtime.supervisor.runtime import Runtime

    return Runtime(
        scenario,
        brain=brain,
        brain_fallback=brain_fallback,
        policy=policy,
        seed=seed,
        out=out,
        strict=strict,
        memory=memory,
        approve=approve,
        progress=narrate,
    ).run()


def resume(
    run: Path,
    *,
    brain_fallback: bool = True,
    out: Path | None = None,
    strict: bool = False,
    approve: Ask | None = None,
    narrate: Narrate | None = None,
) -> RunResult:
    """Go on with a run that waits for approval or was killed. A bare run id is looked up in `out` or in `runs/`."""
    folder = out / run if out is not None and (out / run).is_dir() else run_path(run)
    pin_environment()
    from healing_runtime.supervisor.resume import resume as go_on

    return go_on(folder, approve=approve, brain_fallback=brain_fallback, strict=strict, progress=narrate)


def replay(
    run_folder: Path,
    *,
    verify: bool = False,
    controller: str | None = None,
    from_incident: str | None = None,
    narrate: Narrate | None = None,
) -> ReplayResult:
    """Execute a recorded run again. A bare run id is looked up in the workspace's `runs/`."""
    folder = run_path(run_folder)
    pin_environment()
    from healing_runtime.supervisor.replay import replay as execute

    return execute(folder, verify=verify, controller=controller, from_incident=from_incident, progress=narrate)


def run_path(name: Path) -> Path:
    """A run's folder from a path or a run id.

    Raises:
        NotFoundInCatalogue: there is no such folder.
    """
    for candidate in (name, workspace.open().runs / name):
        if candidate.is_dir():
            return candidate
    raise NotFoundInCatalogue(f"there is no run {name}; give the folder that heal run printed, or a name in runs/.")
