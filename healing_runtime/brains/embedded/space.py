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
FACTORS = (0.25, 0.5, 2.0, 4.0)
"""A single number is tried at these factors, and with its sign turned."""
_MIXED_UP = (math.degrees(1.0), 1000.0, 60.0 / math.tau)
UNITS = (*_MIXED_UP, *(1.0 / factor for factor in _MIXED_UP))
"""Constants are tried at these as well: degrees and radians, thousands, turns a minute and radians a second."""


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One number of PARAMS.

    Attributes:
        path: where it stands (`("gains", 2)`).
        value: as it is.
        title: what people call it, where that is not its path.
        factors: what it is tried at, alone.
        together: whether it moves with all others as well, once none is wrong by itself.
    """

    path: Path
    value: float
    title: str = ""
    factors: tuple[float, ...] = FACTORS
    together: bool = True

    @property
    def name(self) -> str:
        """As a person would write it: `gains[2]`."""
        if self.title:
            return self.title
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
        for leaf, z, sign in zip(self.tunable, point, signs, strict=True):
            if z == 0.0:
                out.append(float(sign * leaf.value))
                continue
            moved = leaf.value * math.exp(LOG_STEP * z) if leaf.value else ZERO_STEP * z
            out.append(rounded(float(sign * moved), digits))
        return tuple(out)

    def moves(self) -> tuple[tuple[int, float], ...]:
        """Every single move: (leaf, how far on its scale), and (leaf, 0) for a turned sign."""
        return tuple(
            (i, z)
            for i, leaf in enumerate(self.tunable)
            for z in (0.0, *(math.log(factor) / LOG_STEP for factor in leaf.factors))
        )

    def together(self) -> np.ndarray:
        """The leaves that all move at once."""
        return np.flatnonzero([leaf.together for leaf in self.tunable])

    def params(self, params: Any, values: Sequence[float]) -> Any:
        """The whole tree with the searched leaves set."""
        return replaced(params, {leaf.path: v for leaf, v in zip(self.tunable, values, strict=True)})


def rounded(value: float, digits: int = 3) -> float:
    """A number a person would write."""
    return float(f"{value:.{digits}g}")
