"""The values of atoms that a run logged, for the formulas that are judged now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from healing_runtime.stl import Requirement
from healing_runtime.stl.formula import Atom, Literal, atoms


def logged_atoms(
    recorded: Sequence[Requirement], logged: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[Atom, np.ndarray]:
    """Atom -> its robustness at every sample, as the run computed it.

    A log knows atoms by their text. Equal atoms are one to a program, under the text of any of them; where the texts of
    a requirement do not tell its atoms apart, as in two uses of one definition, their values are left to be computed.

    Args:
        recorded: the requirements that judged the run.
        logged: requirement id -> text of an atom -> robustness.
    """
    texts: dict[Atom, set[str]] = {}
    for requirement in recorded:
        for atom in atoms(requirement.formula):
            texts.setdefault(atom, set()).add(atom.text)
    found: dict[Atom, np.ndarray] = {}
    for requirement in recorded:
        own = [atom for atom in dict.fromkeys(atoms(requirement.formula)) if not isinstance(atom, Literal)]
        values = logged.get(requirement.id, {})
        for atom in own:
            names = texts[atom].intersection(values)
            shared = set().union(*(texts[other] for other in own if other != atom))
            if len(names) == 1 and not names & shared:
                found[atom] = values[names.pop()]
    return found
