"""From a parsed source to callable functions: asserts rewritten to margins, executed in the closed namespace.

Runs the source's code, so it belongs into a confined worker wherever the source is not trusted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

import jax.numpy as jnp
import numpy as np

from healing_runtime.core.margins import Margin, worst
from healing_runtime.language.execution import namespace
from healing_runtime.language.execution.rewriting import rewritten
from healing_runtime.language.source import Parsed
from healing_runtime.language.syntax.asserts import PREFIX
from healing_runtime.language.syntax.syntax_tree import compiled

State = Any
Action = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Controller:
    """A source as functions; pure, traceable, each call running the module afresh.

    Attributes:
        parsed: where it came from.
        params: PARAMS with float64 NumPy leaves; a list of numbers is one array.
        init: params -> state.
        control: (obs, state, params) -> (action, next state). Binds `tensorlang.assert` for diagnostic asserts.
        contract: (obs, state, action, next state, params) -> {label: worst margin} of the contract asserts.
        filename: what tracebacks of the source's code call it.
    """

    parsed: Parsed
    params: Any
    init: Callable[[Any], State]
    control: Callable[[Any, State, Any], tuple[Action, State]]
    contract: Callable[[Any, State, Action, State, Any], dict[str, Margin]]
    filename: str


def load(parsed: Parsed) -> Controller:
    """Make a parsed source callable. Nothing of it runs before a function of the controller is called."""
    filename = f"<tensorlang:{parsed.source.sha256.removeprefix('sha256:')[:16]}>"
    code = compiled(rewritten(parsed), filename)

    def contract(obs: Any, state: State, action: Action, next_state: State, params: Any) -> dict[str, Margin]:
        found = _run(code)[PREFIX + "contract"](_own(obs), _own(state), _own(action), _own(next_state), _own(params))
        return {label: worst(value) for label, value in found.items()}

    return Controller(
        parsed=parsed,
        params=arrays(parsed.params),
        init=lambda params: _run(code)["init"](_own(params)),
        control=lambda obs, state, params: _run(code)["control"](_own(obs), _own(state), _own(params)),
        contract=contract,
        filename=filename,
    )


def arrays(params: Any) -> Any:
    """PARAMS as parsed -> the same dictionaries with float64 arrays as leaves."""
    if isinstance(params, Mapping):
        return {key: arrays(value) for key, value in params.items()}
    return np.asarray(params, dtype=np.float64)


def _own(tree: Any) -> Any:
    """Containers of its own for the source, and no NumPy arrays, whose methods are not the vocabulary's."""
    if isinstance(tree, Mapping):
        return {key: _own(value) for key, value in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(_own(value) for value in tree)
    return jnp.asarray(tree) if isinstance(tree, np.ndarray | np.generic) else tree


def _run(code: CodeType) -> dict[str, Any]:
    """Execute the module: fresh globals each time, so that no call can leave anything behind for the next."""
    names = dict(namespace.bindings())
    exec(code, names)
    return names
