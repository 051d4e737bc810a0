"""What the host must know about a compiled program, as plain data that crosses pipes and files."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from healing_runtime.compile.vectors import Leaf
from healing_runtime.core.codec import canonical
from healing_runtime.core.records import Verdict
from healing_runtime.core.status import Severity, Status
from healing_runtime.language.vocabulary import FINITE_ACTION_SLUG

FINITE_ACTION = f"controller/{FINITE_ACTION_SLUG}"
"""Id of the assertion that every program carries: the action is finite in every tick."""


@dataclasses.dataclass(frozen=True)
class ControllerInterface:
    """The controller's side: what it remembers, what it can be tuned by, what it asserts."""

    source_sha256: str
    dtype: str
    params: tuple[Leaf, ...]
    state: tuple[Leaf, ...]
    contract: tuple[str, ...]
    diagnostics: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Requirement:
    """The judging side of one assertion.

    `atoms` are indices into the program's atoms: what the formula rests on. `restart` are the entries of the monitors'
    float and integer vectors that begin anew when the obligation does.
    """

    id: str
    severity: Severity
    mission: bool
    scale: float
    formula: str = ""
    atoms: tuple[int, ...] = ()
    restart: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())


@dataclasses.dataclass(frozen=True)
class ProgramInterface:
    """Columns of the packed array and of the carry; `inputs` are the lengths of the observed and the true vector.

    `columns` maps a block of the packed array to (start, stop): `action tripped finite status rho rho_lo rho_hi
    ended_status ended_rho contract_rho contract_ok diagnostics atoms triggers state_floats state_ints`.
    """

    controller: ControllerInterface
    control_hz: int
    requirements: tuple[Requirement, ...]
    atoms: tuple[str, ...]
    columns: Mapping[str, tuple[int, int]]
    packed_size: int
    inputs: tuple[int, int] = (0, 0)

    @functools.cached_property
    def slices(self) -> Mapping[str, slice]:
        """The blocks of the packed array as slices."""
        return {name: slice(*span) for name, span in self.columns.items()}

    @property
    def judged(self) -> tuple[Requirement, ...]:
        """Everything with a verdict: the requirements of the files, then the contract asserts, then finiteness."""
        contract = tuple(
            Requirement(f"controller/{slug}", Severity.CRITICAL, False, 1.0) for slug in self.controller.contract
        )
        return (*self.requirements, *contract, Requirement(FINITE_ACTION, Severity.CRITICAL, False, 1.0))

    def bytes(self) -> bytes:
        """Canonical bytes; part of a program's identity."""
        return canonical(self)

    def verdicts(self, row: np.ndarray, *, ended: bool = False) -> dict[str, Verdict]:
        """Verdicts in one packed row, by assertion id; with `ended`, as if the run ended with this sample."""
        s = self.slices
        status = row[s["ended_status" if ended else "status"]]
        rho = row[s["ended_rho" if ended else "rho"]]
        low = rho if ended else row[s["rho_lo"]]
        high = rho if ended else row[s["rho_hi"]]
        out = {
            r.id: Verdict(Status(int(status[i])), float(rho[i]), float(low[i]), float(high[i]))
            for i, r in enumerate(self.requirements)
        }
        good = Status.TRUE if ended else Status.UNKNOWN
        for i, slug in enumerate(self.controller.contract):
            worst, ok = float(row[s["contract_rho"]][i]), bool(row[s["contract_ok"]][i])
            status_now = Status.INVALID if np.isnan(worst) else good if ok else Status.FALSE
            out[f"controller/{slug}"] = Verdict(status_now, worst, worst if ended or not ok else -np.inf, worst)
        finite = bool(row[s["finite"]][0])
        edge = np.inf if finite else -np.inf
        out[FINITE_ACTION] = Verdict(good if finite else Status.INVALID, edge, -np.inf, edge)
        return out

    def atom_values(self, row: np.ndarray) -> dict[str, dict[str, float]]:
        """By assertion id, the robustness of each atom of its formula, under the atom's text."""
        values = row[self.slices["atoms"]]
        return {r.id: {self.atoms[i]: float(values[i]) for i in r.atoms} for r in self.requirements}

    def violated(self, row: np.ndarray) -> tuple[str, ...]:
        """Ids whose violation trips (critical ones and the mission), in order."""
        verdicts = self.verdicts(row)
        return tuple(
            r.id
            for r in self.judged
            if (r.severity == Severity.CRITICAL or r.mission) and verdicts[r.id].status.violated
        )
