"""The English reading of an assertion file."""

from __future__ import annotations

from typing import Any

from healing_runtime import stl, workspace

DEFAULT_HZ = 48
"""A reading does not depend on the rate; bounds are only checked against this one."""


def explain(name: str) -> dict[str, Any]:
    """Every assertion and mission of a file with its English reading.

    Raises:
        InputError: there is no such file, or it is wrong; file:line:column.
    """
    home = workspace.open()
    file = home.assertion_file(name)
    bound = stl.bind([file], home.robot(file.robot).signals, DEFAULT_HZ)
    return {
        "file": file.name,
        "robot": file.robot,
        "assertions": [
            {
                "id": requirement.id,
                "severity": "mission" if requirement.mission else str(requirement.severity),
                "formula": requirement.text,
                "english": stl.explain(requirement.formula),
            }
            for requirement in bound
        ],
    }
