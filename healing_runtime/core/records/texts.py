"""What people wrote: assertion files, parsed as YAML and not yet as formulas, and sources of controllers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from healing_runtime.core.errors import Location
from healing_runtime.core.status import Severity


@dataclasses.dataclass(frozen=True)
class AssertionText:
    """One assertion or mission as written. `where` is the first character of the formula."""

    id: str
    formula: str
    where: Location
    severity: Severity = Severity.CRITICAL
    mission: bool = False
    requirement: str = ""
    rationale: str = ""
    scale: Mapping[str, float] = dataclasses.field(default_factory=dict)
    tolerance: str | None = None


@dataclasses.dataclass(frozen=True)
class AssertionFile:
    """One file of the safety engineers. Constants are quantities as text; definitions map a head to a body."""

    name: str
    path: str
    sha256: str
    robot: str
    assertions: tuple[AssertionText, ...]
    constants: Mapping[str, str] = dataclasses.field(default_factory=dict)
    definitions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    definition_where: Mapping[str, Location] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Source:
    """A controller's source text as found; its identity is the hash of its bytes."""

    name: str
    path: str
    text: str
    sha256: str
