"""Promises: the contract asserts of an original as a program of their own, made where no patch has run.

A patch is exported without the asserts it does not own. They are exported once, in a process that sees the original
alone, over the original's own memory; the builder puts both together and hands the promises what the patch keeps of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from healing_runtime.compile.vectors import Leaf, Vectors
from healing_runtime.core.errors import SubsetError
from healing_runtime.language import ownership
from healing_runtime.language.source import Parsed


@dataclasses.dataclass(frozen=True)
class Promises:
    """StableHLO of the original's contract, the memory it reads (all of the original's), the asserts it judges."""

    program: bytes
    state: tuple[Leaf, ...]
    slugs: tuple[str, ...]


def must_keep_what_is_judged(original: Parsed, was: Sequence[Leaf], now: Sequence[Leaf]) -> None:
    """The memory that the original's contract reads is still built as it was: an empty array breaks no promise.

    Raises:
        SubsetError: a patch with the memory `now` left out or changed some of it.
    """
    for key in ownership.state_keys(original, tuple(dict.fromkeys(_key(leaf) for leaf in was))):
        before, after = ([leaf for leaf in leaves if _key(leaf) == key] for leaves in (was, now))
        if not before:  # the original's own mistake, told where its contract is traced
            continue
        if not after:
            raise SubsetError(f"the patch dropped {key!r}, which an assert of the original controller names; keep it.")
        if before != after:
            raise SubsetError(
                f'the patch changes the shape or dtype of state["{key}"], which an assert of the original controller'
                " reads; keep it as it was."
            )


def contract(
    promises: Promises | None, promised: Callable[..., Any], added: Callable[..., Any], state: Sequence[Leaf]
) -> Callable[..., Any]:
    """The whole contract of a patch with the memory `state`, as `tick.Step` has it: what was promised, then the rest.

    Args:
        promises: what `promised` is the program of; None where `added` is the whole contract.
        promised: the program of the original's asserts.
        added: the program of the others.
        state: how the patch's memory lies.
    """
    if promises is None:
        return added

    def both(observed: Any, before: Vectors, action: Any, after: Vectors) -> tuple[Any, Any]:
        was, became = (_as_the_original_had_it(vectors, state, promises.state) for vectors in (before, after))
        first = promised(observed, was, action, became)
        second = added(observed, before, action, after)
        return jnp.concatenate([first[0], second[0]]), jnp.concatenate([first[1], second[1]])

    return both


def _as_the_original_had_it(vectors: Vectors, now: Sequence[Leaf], was: Sequence[Leaf]) -> Vectors:
    """The memory of a patch laid out as the original's: by name, and zeros for what the patch has not.

    No assert reads those zeros (`must_keep_what_is_judged`).
    """
    places, at = {}, {True: 0, False: 0}
    for leaf in now:
        places[leaf] = slice(at[leaf.floating], at[leaf.floating] + leaf.size)
        at[leaf.floating] += leaf.size
    parts: dict[bool, list[Any]] = {True: [vectors.floats[:0]], False: [vectors.ints[:0]]}
    for leaf in was:
        origin = vectors.floats if leaf.floating else vectors.ints
        here = origin[places[leaf]] if leaf in places else jnp.zeros(leaf.size, origin.dtype)
        parts[leaf.floating].append(here)
    return Vectors(jnp.concatenate(parts[True]), jnp.concatenate(parts[False]))


def _key(leaf: Leaf) -> str:
    return leaf.path.partition(".")[0]
