"""What `heal check` looked at and what it found."""

from __future__ import annotations

import dataclasses
from typing import Any

from healing_runtime.core.errors import InputError, Location


@dataclasses.dataclass(frozen=True)
class Remark:
    """One thing found. Line and column count from 1; 0 means that it has no place."""

    path: str
    line: int
    column: int
    severity: str
    message: str


@dataclasses.dataclass
class Report:
    """What was looked at and what was found, each thing once; `elapsed_s` is how long that took."""

    files: list[str] = dataclasses.field(default_factory=list)
    remarks: list[Remark] = dataclasses.field(default_factory=list)
    formulas: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    elapsed_s: float = 0.0

    @property
    def clean(self) -> bool:
        """True without errors; warnings do not count."""
        return not any(r.severity == "error" for r in self.remarks)

    @property
    def document(self) -> dict[str, Any]:
        """What `heal check --json` prints."""
        remarks = sorted(self.remarks, key=lambda r: (r.path, r.line, r.column))
        return {
            "clean": self.clean,
            "files": sorted(self.files),
            "findings": [dataclasses.asdict(r) for r in remarks],
            "formulas": self.formulas,
            "elapsed_s": round(self.elapsed_s, 3),
        }

    def looked_at(self, path: str) -> None:
        """Count a file once."""
        if path not in self.files:
            self.files.append(path)

    def add(self, severity: str, message: str, where: Location) -> None:
        """Note a finding once, however many scenarios lead to it."""
        remark = Remark(where.path, where.line, where.column, severity, message)
        if remark not in self.remarks:
            self.remarks.append(remark)

    def mistake(self, error: InputError, where: Location) -> None:
        """Note what a reader refused, and what it refused besides; `where` is for one that has no place."""
        for one in (error, *error.more):
            self.add("error", one.message, one.where or where)
