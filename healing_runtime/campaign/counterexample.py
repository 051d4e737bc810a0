"""A flown scenario as a file that `heal run` flies again.

The file is the one that the search began with; what the search varied, and the seed of the noise, stand in it as
numbers of full length, so that the flight is the same bit for bit.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from healing_runtime.campaign.state import write_whole
from healing_runtime.core.records import FaultSpec, Scenario
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.workspace.document import parse_document

_LABEL = "healable"
"""What the file says of its own nominal case; of this one nobody knows."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_/.-]*|-?[0-9.]+ [A-Za-z][A-Za-z0-9/]*")
_WORDS = {"null", "true", "false"}


def write_scenario(path: Path, prepared: Prepared, flown: Scenario, remarks: Sequence[str]) -> None:
    """Write `flown`, with remarks as comments at its head, and read it back.

    Raises:
        RuntimeError: the file does not resolve to the scenario that was flown.
    """
    document = dict(parse_document(prepared.loaded.text, path=str(prepared.loaded.path)).value)
    document.pop(_LABEL, None)
    document |= {"controller": flown.controller, "assertions": list(flown.assertions), "seed": flown.seed}
    document |= {"initial": flown.initial, "environment": flown.environment}
    lines = [f"# {remark}" for remark in remarks]
    for key, value in document.items():
        if key == "faults":
            lines += ["faults:", *(f"  - {_flow(_fault(f, flown.physics_hz))}" for f in flown.faults)]
        else:
            lines.append(f"{key}: {_flow(value)}")
    write_whole(path, "\n".join(lines) + "\n")
    _must_be(path, prepared, flown)


def _must_be(path: Path, prepared: Prepared, flown: Scenario) -> None:
    read = prepared.workspace.scenario(path).scenario
    kept = ("name", "healable", "healable_reason")
    if dataclasses.replace(read, **{key: getattr(flown, key) for key in kept}) != flown:
        raise RuntimeError(f"{path} does not resolve to the scenario that was flown")


def _fault(fault: FaultSpec, physics_hz: int) -> dict[str, Any]:
    steps = {"start": fault.start_step, "until": fault.until_step, "ramp": fault.ramp_steps or None}
    times = {key: _seconds(step, physics_hz) for key, step in steps.items() if step is not None}
    when = {} if fault.when is None else {"when": fault.when}
    return {"kind": fault.kind, **fault.parameters, **when, **times}


def _seconds(step: int, physics_hz: int) -> str:
    """A time that is rounded to this very step; physics has at most 100,000 a second."""
    digits = f"{step / physics_hz:.6f}".rstrip("0").rstrip(".")
    return f"{digits} s"


def _flow(value: Any) -> str:
    """YAML in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(str(key))}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(inner) for inner in value) + "]"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
