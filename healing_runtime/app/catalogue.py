"""What there is to fly, and everything that a robot says about itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from healing_runtime import workspace
from healing_runtime.core.codec import plain
from healing_runtime.core.errors import NotFoundInCatalogue
from healing_runtime.core.plant import Robot
from healing_runtime.core.signals import Layout, Signal
from healing_runtime.workspace.document import suggestion

Entry = dict[str, Any]


def names() -> dict[str, list[str]]:
    """Robots, scenarios, controllers and assertion files of the workspace and the catalogue behind it."""
    home = workspace.open()
    return {
        "robots": list(home.robot_names()),
        "scenarios": list(home.scenario_names()),
        "controllers": list(home.controller_names()),
        "assertions": list(home.assertion_names()),
    }


def show(name: str) -> list[Entry]:
    """Everything of that name: a robot's signals, limits and faults, or a file's text; one entry a kind.

    Raises:
        NotFoundInCatalogue: nothing has that name; the message names the nearest.
    """
    home = workspace.open()
    entries: list[Entry] = []
    if name in home.robot_names():
        entries.append(describe(home.robot(name)))
    for kind, found, read in _files(home):
        if name in found:
            entries.append({"kind": kind, "name": name, **read(name)})
    if entries:
        return entries
    if not Path(name).suffix and not Path(name).exists():
        known = {n for names in (home.robot_names(), *(found for _, found, _ in _files(home))) for n in names}
        hint = suggestion(name, known, what="There are")
        raise NotFoundInCatalogue(f"there is no file and no catalogue entry '{name}'.{hint}")
    home.scenario(name)  # a path
    return [{"kind": "scenario", "name": name, **_scenario(home, name)}]


def describe(robot: Robot) -> Entry:
    """A robot as plain JSON: its signals with units and limits, its figures, the sections of a scenario, its faults."""
    return {
        "kind": "robot",
        "name": robot.name,
        "description": robot.description,
        "signals": {
            "observed": _signals(robot.signals.observed),
            "action": _signals(robot.signals.action),
            "true": _signals(robot.signals.true),
        },
        "constants": [plain(constant) for constant in robot.constants],
        "initial": _defaults(robot.initial),
        "environment": _defaults(robot.environment),
        "reference": _defaults(robot.reference),
        "faults": [
            {
                "kind": kind,
                "touches": fault.touches,
                "parameters": list(fault.Parameters.model_fields),
                "example": plain(getattr(fault, "example", {})),
                "description": (fault.__doc__ or "").strip().splitlines()[0] if fault.__doc__ else "",
            }
            for kind, fault in sorted(robot.faults.items())
        ],
        "twin": robot.make_twin is not None,
        "ground_truth": robot.ground_truth,
    }


def _files(home: workspace.Workspace) -> tuple[tuple[str, tuple[str, ...], Callable[[str], Entry]], ...]:
    return (
        ("scenario", home.scenario_names(), lambda name: _scenario(home, name)),
        ("controller", home.controller_names(), lambda name: _controller(home, name)),
        ("assertions", home.assertion_names(), lambda name: _assertions(home, name)),
    )


def _scenario(home: workspace.Workspace, name: str) -> Entry:
    loaded = home.scenario(name)
    return {
        "path": str(loaded.path),
        "sha256": loaded.sha256,
        "resolved": plain(loaded.scenario),
        "notes": list(loaded.notes),
        "text": loaded.text,
    }


def _controller(home: workspace.Workspace, name: str) -> Entry:
    source = home.controller(name)
    return {"path": source.path, "sha256": source.sha256, "text": source.text}


def _assertions(home: workspace.Workspace, name: str) -> Entry:
    file = home.assertion_file(name)
    lines = [
        f"{a.id}: {' '.join(a.formula.split())}" + (f"  # {a.requirement}" if a.requirement else "")
        for a in file.assertions
    ]
    return {"path": file.path, "sha256": file.sha256, "resolved": plain(file), "text": "\n".join(lines)}


def _signals(layout: Layout) -> list[Entry]:
    return [_signal(signal) for signal in layout]


def _signal(signal: Signal) -> Entry:
    return {**plain(signal), "key": signal.key}


def _defaults(model: type) -> Entry:
    """Keys of a scenario section and their defaults; `required` where there is none."""
    fields = model.model_fields  # pyright: ignore[reportAttributeAccessIssue]
    return {
        key: "required" if field.is_required() else plain(_jsonable(field.get_default(call_default_factory=True)))
        for key, field in fields.items()
    }


def _jsonable(value: Any) -> Any:
    return value.model_dump() if hasattr(value, "model_dump") else value
