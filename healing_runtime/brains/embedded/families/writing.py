"""Writing TensorLang as a person would: a docstring, named constants with a word on each, short functions."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from healing_runtime.brains.embedded.families.family import Brief


class Constant(NamedTuple):
    """One entry of PARAMS. `tuned` constants are moved by the search, the others were measured."""

    name: str
    value: float | list[list[float]]
    remark: str
    tuned: bool = True


def rounded(value: float, digits: int = 3) -> float:
    """A number a person would write."""
    return float(f"{value:.{digits}g}")


def write(
    brief: Brief,
    about: str,
    constants: Sequence[Constant],
    memory: Sequence[tuple[str, str]],
    body: str,
    before: str = "",
) -> str:
    """One controller file.

    Args:
        brief: gives the title and the asserts that must be kept.
        about: the rest of the docstring: how the controller works.
        constants: PARAMS.
        memory: (state key, initial value as source).
        body: statements of `control` that leave `action` and `next_state`.
        before: helper functions, if any.
    """
    doc = "\n\n".join(textwrap.fill(" ".join(part.split()), 110) for part in (brief.title, *about.split("\n\n")))
    params = "\n".join(f"    {_entry(c)}" for c in constants)
    state = "".join(f'\n        "{key}": {value},' for key, value in memory)
    kept = "".join(f"    {line}\n" for line in brief.asserts)
    helpers = textwrap.dedent(before).strip() + "\n\n\n" if before else ""
    return (
        f'"""{doc}\n"""\n\nimport jax.numpy as jnp\n\nPARAMS = {{\n{params}\n}}\n\n\n'
        f"def init(params):\n    return {{{state}\n    }}\n\n\n{helpers}"
        f"def control(obs, state, params):\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"
        f"{kept}    return action, next_state\n"
    )


def _entry(constant: Constant) -> str:
    if isinstance(constant.value, list):
        rows = "".join(f"        [{', '.join(repr(rounded(v, 5)) for v in row)}],\n" for row in constant.value)
        return f'"{constant.name}": [  # {constant.remark}\n{rows}    ],'
    return f'"{constant.name}": {rounded(constant.value, 3 if constant.tuned else 6)!r},  # {constant.remark}'
