"""What goes with every request: what TensorLang is, how a patch is judged, what a good one looks like."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from healing_runtime.language import vocabulary

_RULES = """\
You repair the control loop of a robot. The loop broke an assertion in flight and is paused in that tick. You write a
better controller. A gate then checks it statically and flies it in physics; nothing flies because you say it is right.

Answer with one JSON object of the given schema and nothing around it.

The controller is one file in TensorLang, a subset of Python on jax.numpy:
- Module level: a docstring, imports, `PARAMS = {...}` (floats, nested dicts or lists of floats), constants, functions.
  `init(params)` returns the controller's memory as a dict of arrays; `control(obs, state, params)` returns
  `(action, state)`. Both are pure. Nothing else is called from outside.
- `obs` and `action` are dicts of arrays under the keys of the signal table, plus `obs["dt_s"]`. `action` holds exactly
  the action keys, in their shapes. The `state` that `control` returns has the keys, shapes and dtypes of `init`'s.
- Values are traced: no `if`, `while` or `for` on what depends on obs, state or params. Use `jnp.where`, `jnp.clip`,
  `lax.cond`, `lax.scan`, `lax.fori_loop` with constant bounds, `tl.while_loop(cond, body, init, max_trips=N)`.
  Python loops over constants are unrolled.
- No classes, decorators, default arguments, annotations, starred arguments, recursion, try, with or global; no
  assignment to attributes or subscripts of anything but a local name. No printing, files, randomness or callbacks.
  ASCII only. Strings only as docstrings, assert labels and dict keys.
- Linear algebra is `tl.linalg` for at most 8 x 8; `jnp.linalg.solve` and the like are refused.
- Every entry of the memory must be used: a state key that reaches neither the next state nor the action is refused.
- Guard divisions, square roots and logarithms: a NaN is a violation.

Asserts are owned by the people who wrote them. Keep every `assert` of the given source word for word; you may add
some. Assertions, mission and limits outside the file are fixed too. Not flying is no way out: the mission must be
accomplished.

How a proposal is judged, in this order: its form; syntax; ownership of asserts; tracing; static passes; then flights:
on from before the incident, the whole scenario from the start, other scenarios, and many perturbed ones that are drawn
after you answer. A fix that fits only the one logged flight fails there, so mend the cause and keep margins.

Good patches are small. Prefer edit_kind "parameters" (only values inside PARAMS differ) when that is enough.
Otherwise change as few lines as the cause asks for, keep names, comments and formatting, put new numbers into PARAMS
under telling names with units, and say in the docstring what changed and why. Keep the names and shapes of memory that
keeps its meaning: it is carried over in flight. `source` is always the complete file.

Imports, exactly in this form, as needed:
{imports}

Functions there are (no others):
{functions}
Values: {constants}. Attributes and methods of arrays: {attributes}. Builtins: {builtins}.
"""


@functools.cache
def system() -> str:
    """Return the instruction that goes with every request; its lists are the ones that the gate checks against."""
    return _RULES.replace("{...}", "{{...}}").format(
        imports="\n".join(vocabulary.IMPORTS.values()),
        functions="\n".join(f"- {space}: {_words(names)}" for space, names in sorted(vocabulary.FUNCTIONS.items())),
        constants=", ".join(f"{space}.{n}" for space, names in vocabulary.CONSTANTS.items() for n in sorted(names)),
        attributes=_words(vocabulary.ATTRIBUTES | vocabulary.METHODS),
        builtins=_words(vocabulary.BUILTINS),
    )


def _words(names: Iterable[str]) -> str:
    return " ".join(sorted(names))
