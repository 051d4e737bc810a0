"""What a program remembers from tick to tick, handed to the next program or begun anew in part."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.compile.vectors import Packing, Vectors


def migrate(old: ProgramInterface, new: ProgramInterface, carry: Vectors, fresh: Vectors) -> Vectors:
    """A carry of the old program as a carry of the new one.

    Controller memory moves by name, shape and dtype; what the new controller does not share starts as its `init`
    says. Monitors judge the same requirements in both programs and move whole.
    """
    floats, ints = fresh.floats.copy(), fresh.ints.copy()
    before, after = _places(old), _places(new)
    for path, (leaf, place) in after.items():
        if path in before and before[path][0] == leaf:
            target, origin = (floats, carry.floats) if leaf.floating else (ints, carry.ints)
            target[place] = origin[before[path][1]]
    old_floats, old_ints = _state_sizes(old)
    new_floats, new_ints = _state_sizes(new)
    monitors = floats.size - new_floats - len(new.controller.contract)
    floats[new_floats : new_floats + monitors] = carry.floats[old_floats : old_floats + monitors]
    ints[new_ints:] = carry.ints[old_ints:]
    worst = dict(zip(old.controller.contract, carry.floats[old_floats + monitors :], strict=True))
    for i, slug in enumerate(new.controller.contract):
        if slug in worst:
            floats[new_floats + monitors + i] = worst[slug]
    return Vectors(floats, ints)


def restart(interface: ProgramInterface, carry: Vectors, fresh: Vectors, ids: Collection[str]) -> Vectors:
    """A carry in which the named obligations begin anew; everything else remembers what it saw."""
    floats, ints = np.array(carry.floats), np.array(carry.ints)
    state_floats, state_ints = _state_sizes(interface)
    for requirement in interface.requirements:
        if requirement.id in ids:
            for vector, origin, offset, slots in zip(
                (floats, ints), fresh, (state_floats, state_ints), requirement.restart, strict=True
            ):
                at = offset + np.array(slots, int)
                vector[at] = origin[at]
    contract = floats.size - len(interface.controller.contract)
    for i, slug in enumerate(interface.controller.contract):
        if f"controller/{slug}" in ids:
            floats[contract + i] = fresh.floats[contract + i]
    return Vectors(floats, ints)


def _state_sizes(interface: ProgramInterface) -> tuple[int, int]:
    return Packing(interface.controller.state, None).sizes


def _places(interface: ProgramInterface) -> dict[str, tuple[Any, slice]]:
    out, at_float, at_int = {}, 0, 0
    for leaf in interface.controller.state:
        if leaf.floating:
            out[leaf.path] = (leaf, slice(at_float, at_float + leaf.size))
            at_float += leaf.size
        else:
            out[leaf.path] = (leaf, slice(at_int, at_int + leaf.size))
            at_int += leaf.size
    return out
