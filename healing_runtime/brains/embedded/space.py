"""The numbers of a controller as a vector that an evolution strategy can move.

A leaf of PARAMS that is not zero is searched on a logarithmic scale with its sign kept: one unit of the search vector
is a factor of e**0.5. A zero leaf has no scale of its own and moves linearly. Signs are turned by trying.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Path = tuple[Any, ...]

LOG_STEP = 0.5
ZERO_STEP = 0.1
# exp(0.5 * 6) is a factor of 20; further away a number means something else than it did.
REACH = 6.0


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One number of PARAMS: where it stands (`("gains", 2)`) and its value."""

    path: Path
    value: float

    @property
    def name(self) -> str:
        """As a person would write it: `gains[2]`."""
        head, *rest = self.path
        return str(head) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)


def leaves(params: Any, path: Path = ()) -> Iterator[Leaf]:
    """Every number of a tree of mappings and sequences, in a fixed order."""
    if isinstance(params, Mapping):
        for key in sorted(params):
            yield from leaves(params[key], (*path, key))
    elif isinstance(params, list | tuple):
        for index, item in enumerate(params):
            yield from leaves(item, (*path, index))
    elif isinstance(params, float):
        yield Leaf(path, params)


def replaced(params: Any, values: Mapping[Path, float], path: Path = ()) -> Any:
    """The same tree with some numbers replaced."""
    if isinstance(params, Mapping):
        return {key: replaced(item, values, (*path, key)) for key, item in params.items()}
    if isinstance(params, list | tuple):
        return type(params)(replaced(item, values, (*path, index)) for index, item in enumerate(params))
    return values.get(path, params)


@dataclasses.dataclass(frozen=True)
class Space:
    """The searched leaves of one structure, and how a search vector becomes their values."""

    tunable: tuple[Leaf, ...]

    @property
    def size(self) -> int:
        """Dimensions of the search."""
        return len(self.tunable)

    def values(self, point: np.ndarray, signs: np.ndarray, digits: int = 3) -> tuple[float, ...]:
        """Search vector and signs -> values with `digits` significant digits; a leaf that did not move is kept."""
        out = []
        for leaf, z, sign in zip(self.tunable, np.clip(point, -REACH, REACH), signs, strict=True):
            if z == 0.0:
                out.append(float(sign * leaf.value))
                continue
            moved = leaf.value * math.exp(LOG_STEP * z) if leaf.value else ZERO_STEP * z
            out.append(rounded(float(sign * moved), digits))
        return tuple(out)

    def params(self, params: Any, values: Sequence[float]) -> Any:
        """The whole tree with the searched leaves set."""
        return replaced(params, {leaf.path: v for leaf, v in zip(self.tunable, values, strict=True)})


def rounded(value: float, digits: int = 3) -> float:
    """A number a person would write."""
    return float(f"{value:.{digits}g}")
