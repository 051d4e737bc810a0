"""The English reading of an assertion file, or of one formula."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from healing_runtime import stl, workspace
from healing_runtime.core.errors import InputError, Location
from healing_runtime.core.records import AssertionFile, AssertionText
from healing_runtime.workspace.document import suggestion


def explain(name: str, ids: Sequence[str] = ()) -> dict[str, Any]:
    """Assertions and missions of a file, all of them or the named ones, each with its English reading.

    Raises:
        InputError: there is no such file or no such id, or the file is wrong; file:line:column.
    """
    home = workspace.open()
    file = home.assertion_file(name)
    known = {written.id for written in file.assertions}
    for wanted in ids:
        if wanted not in known:
            hint = suggestion(wanted, known, what="It has")
            raise InputError(f"{file.name} has no assertion or mission '{wanted}'.{hint}", where=Location(file.path))
    # A reading does not depend on the rate; `heal check` looks at the bounds.
    bound = {requirement.id: requirement for requirement in stl.bind([file], home.robot(file.robot).signals, None)}
    return {
        "file": file.name,
        "robot": file.robot,
        "assertions": [
            {
                "id": written.id,
                "severity": "mission" if written.mission else str(written.severity),
                "requirement": written.requirement,
                "rationale": written.rationale,
                "formula": written.formula,
                "english": stl.explain(bound[written.id].formula, mission=written.mission),
            }
            for written in file.assertions
            if not ids or written.id in ids
        ],
    }


def explain_formula(text: str, robot: str, tolerance: str | None = None) -> dict[str, Any]:
    """One formula over a robot's signals; `tolerance` is what `==` allows for.

    Raises:
        InputError: there is no such robot, or the formula is wrong; line:column.
    """
    table = workspace.open().robot(robot).signals
    written = AssertionText("formula", text, Location("formula", 1, 1), tolerance=tolerance)
    (bound,) = stl.bind([AssertionFile("formula", "formula", "", robot, (written,))], table, None)
    return {"robot": robot, "formula": text, "english": stl.explain(bound.formula)}
