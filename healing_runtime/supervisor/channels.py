"""The JSON Schema of every channel of a run's log, made from the robot's signal table.

A schema names each signal with its unit and its shape, so that a viewer can offer them; additional keys are never
there. Numbers that are not finite are words (`inf`, `-inf`), what has no value is `null`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from healing_runtime.core.signals import Layout, Signal, SignalTable

BRANCH = re.compile(r"^/branch/[1-9]\d*(?=/)")
"""The prefix of the topics of a branch: after the n-th resume new rows go to `/branch/<n>/…`."""

_NUMBER: Mapping[str, Any] = {
    "anyOf": [{"type": "number"}, {"type": "null"}, {"type": "string", "enum": ["inf", "-inf"]}]
}
_TICK = {"type": "integer", "minimum": 0, "description": "control periods since t = 0"}
_MEMORY = {"type": ["number", "string", "boolean", "null", "array"]}


class Channels:
    """Topic -> JSON Schema of its messages. KeyError for a topic that a run does not have."""

    def __init__(self, table: SignalTable) -> None:
        self._fixed = {
            "/sim/state": _row("true values of the robot's signals, for judging", _signals(table.true)),
            "/sim/sensed": _row("what the sensors delivered", _signals(table.observed)),
            "/control/cmd_applied": _row("the command that was applied in this tick", _signals(table.action)),
            "/control/state": _row("the controller's memory after this tick", {"additionalProperties": _MEMORY}),
            "/event": _EVENT,
        }

    def __call__(self, topic: str) -> Mapping[str, Any]:
        """The schema of a topic; branches have those of the topics they continue."""
        plain = BRANCH.sub("", topic)
        schema = _VERDICT if plain.startswith("/assert/") and len(plain) > len("/assert/") else self._fixed[plain]
        return {"title": topic.strip("/").replace("/", "."), **schema}


def _row(description: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "description": description,
        "type": "object",
        "properties": {"tick": _TICK, "values": {"type": "object", **values}},
        "required": ["tick", "values"],
        "additionalProperties": False,
    }


def _signals(layout: Layout) -> Mapping[str, Any]:
    properties = {signal.key: _signal(signal) for signal in layout}
    return {"properties": properties, "required": list(properties), "additionalProperties": False}


def _signal(signal: Signal) -> Mapping[str, Any]:
    words = f"{signal.description or signal.name}{f' [{signal.unit}]' if signal.unit else ''}"
    if signal.components and len(signal.shape) == 1:
        words += f", in the order {' '.join(signal.components)}"
    schema: Mapping[str, Any] = _NUMBER
    for size in reversed(signal.shape):
        schema = {"type": "array", "items": schema, "minItems": size, "maxItems": size}
    return {"description": words, **schema}


_VERDICT: Mapping[str, Any] = {
    "description": "the verdict of an assertion in this tick, and the robustness of its atoms",
    "type": "object",
    "properties": {
        "tick": _TICK,
        "status": {"type": "string", "enum": ["unknown", "true", "false", "vacuous", "invalid"]},
        "rho": {"description": "robustness so far", **_NUMBER},
        "rho_lo": {"description": "least robustness that the run may still end with", **_NUMBER},
        "rho_hi": {"description": "greatest robustness that the run may still end with", **_NUMBER},
        "atoms": {"type": "object", "additionalProperties": _NUMBER},
    },
    "required": ["tick", "status", "rho", "rho_lo", "rho_hi", "atoms"],
    "additionalProperties": False,
}
_EVENT: Mapping[str, Any] = {
    "description": "a change of mode, an incident, an attempt, a swap; facts beside the name as the event has them",
    "type": "object",
    "properties": {"tick": _TICK, "event": {"type": "string"}},
    "required": ["tick", "event"],
}
