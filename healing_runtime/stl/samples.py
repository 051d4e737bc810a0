"""Signals as people hand them over: made into arrays of one dtype and length, or refused in one clear line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from healing_runtime.core.errors import InputError, UnknownSignalError
from healing_runtime.stl.atoms import Read
from healing_runtime.stl.formula import Apply, Flag, Formula, Literal, Outside, Predicate, Reference, references


def check_formula(formula: Any) -> None:
    """Refuse what did not come from `parse`."""
    if not isinstance(formula, Apply | Predicate | Flag | Literal | Outside):
        raise InputError(f"the formula is {_what(formula)}; make one with stl.parse('…').")


def recorded(formula: Formula, signals: Mapping[str, Any]) -> tuple[Read, Array]:
    """How to read the formula's references from whole recordings, and zeros [N] in the dtype of the result.

    The dtype is the widest floating one among the signals that the formula reads; integers and Booleans count as
    float32. Columns that it does not read are not looked at.

    Raises:
        UnknownSignalError: a signal is missing.
        InputError: no samples, lengths that differ, a vector for a scalar or the other way about, or no numbers.
    """
    if not isinstance(signals, Mapping):
        raise InputError(f"the signals are {_what(signals)}; give a mapping from names to samples.")
    arrays: dict[str, Array] = {}
    for reference in references(formula):
        name = _name(reference, signals)
        arrays[name] = arrays[name] if name in arrays else _numbers(name, signals[name])
        _check_shape(reference, name, arrays[name].shape, leading=1)
    if not arrays:
        # A formula of literals alone is judged as long as there are samples.
        arrays = {name: _numbers(name, given) for name, given in list(signals.items())[:1]}
    lengths = {name: array.shape[0] for name, array in arrays.items() if array.ndim}
    if not any(lengths.values()):
        raise InputError("the recording has no samples; a verdict needs at least one.")
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"'{name}' has {length}" for name, length in lengths.items())
        raise InputError(f"the signals have different numbers of samples: {counts}; give one sample of each per tick.")
    dtype = jnp.result_type(*(array.dtype for array in arrays.values()))

    def read(reference: Reference) -> Array:
        array = arrays[_name(reference, signals)].astype(dtype)
        if reference.index is None and not reference.size:
            return array
        flat = array.reshape(array.shape[0], -1)
        return flat if reference.index is None else flat[:, reference.index]

    return read, jnp.zeros(next(iter(lengths.values())), dtype)


def instant(sample: Mapping[str, Any], dtype: Any) -> Read:
    """How to read references from one sample: a mapping from names to scalars or vectors.

    Raises:
        UnknownSignalError, InputError: when a reference is read, as for `recorded`.
    """

    def read(reference: Reference) -> Array:
        if not isinstance(sample, Mapping):
            raise InputError(f"the sample is {_what(sample)}; give a mapping from names to values.")
        name = _name(reference, sample)
        value = _numbers(name, sample[name]).astype(dtype)
        _check_shape(reference, name, value.shape, leading=0)
        if reference.index is None and not reference.size:
            return value
        flat = value.reshape(-1)
        return flat if reference.index is None else flat[reference.index]

    return read


def check_dtype(dtype: Any) -> None:
    """Refuse what a monitor cannot calculate in."""
    try:
        floating = jnp.issubdtype(dtype, jnp.floating)
    except TypeError:
        floating = False
    if not floating:
        raise InputError(f"a monitor calculates in a floating dtype, not in {dtype!r}; use float32.")
    if jax.dtypes.canonicalize_dtype(dtype) != np.dtype(dtype):
        raise InputError(
            f"{np.dtype(dtype).name} is switched off in JAX; set jax.config.update('jax_enable_x64', True), "
            "or use float32."
        )


def _name(reference: Reference, signals: Mapping[str, Any]) -> str:
    """`observed(x)` is looked up under that name first, then as `x`."""
    observed = f"observed({reference.signal})"
    name = observed if reference.observed and observed in signals else reference.signal
    if name not in signals:
        known = ", ".join(sorted(map(str, signals))) or "none"
        raise UnknownSignalError(f"the recording has no signal '{name}'; it has {known}.")
    return name


def _numbers(name: str, given: Any) -> Array:
    if not isinstance(given, jax.Array):
        try:
            given = np.asarray(given)
        except ValueError:
            raise InputError(f"'{name}' has samples of different lengths; give an array of numbers.") from None
        if given.dtype.kind not in "biuf" and not jnp.issubdtype(given.dtype, jnp.floating):
            raise InputError(f"'{name}' holds {given.dtype.name} values; give an array of numbers.")
        if given.dtype.kind in "biu":
            given = given.astype(np.float32)  # not by way of int32, where a large number changes its sign
    if jnp.issubdtype(given.dtype, jnp.complexfloating):
        raise InputError(f"'{name}' holds {given.dtype.name} values; give an array of numbers.")
    with np.errstate(over="ignore"):  # beyond the range of the dtype lies infinity
        array = jnp.asarray(given)
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(jnp.float32)


def _check_shape(reference: Reference, name: str, shape: tuple[int, ...], leading: int) -> None:
    """`leading` axes count samples; what remains is one sample."""
    if len(shape) < leading:
        raise InputError(f"'{name}' is a single number, not samples over time; for one sample write [value].")
    rest = shape[leading:]
    size = int(np.prod(rest))
    if reference.index is not None and (not rest or reference.index >= size):
        what = f"{size} components" if rest else "no components"
        raise InputError(f"'{name}' has {what} a sample, and the formula reads entry {reference.index}; give a vector.")
    if reference.index is None and reference.size and (not rest or size != reference.size):
        what = f"{size} components" if rest else "one number"
        raise InputError(f"'{name}' has {what} a sample, and the formula reads {reference.size}; give them all.")
    if reference.index is None and not reference.size and rest:
        raise InputError(
            f"'{name}' has shape {list(rest)} a sample, and the formula reads a scalar; "
            "pass one component, or declare the signal as a vector and name one in the formula."
        )


def _what(given: Any) -> str:
    return "a text" if isinstance(given, str) else f"of type {type(given).__name__}"
