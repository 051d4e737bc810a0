"""`primitives`: nothing but a list of pure array operations. Callbacks, FFI and custom calls have no entry.

The list is what the vocabulary's functions trace to (a test traces every one). Effects are no substitute for it:
`pure_callback` and `ffi_call` show none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.extend.core import Literal

from healing_runtime.language.findings import Finding
from healing_runtime.language.passes.program import Budget, Program, programs
from healing_runtime.language.vocabulary import words

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced

_ELEMENTWISE = """
    abs acos acosh add and asin asinh atan atan2 atanh cbrt ceil clamp convert_element_type copy copy_p cos cosh div eq
    erf erf_inv erfc exp exp2 expm1 floor ge gt integer_pow is_finite le log log1p logistic lt lt_to max min mul ne neg
    nextafter not or pow rem round rsqrt select_n sign sin sinh sqrt square stop_gradient sub tan tanh xor
"""
_STRUCTURE = """
    argmax argmin broadcast_in_dim concatenate cumlogsumexp cummax cummin cumprod cumsum dot_general dynamic_slice
    dynamic_update_slice gather iota pad reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum reshape rev
    scatter scatter-add scatter-max scatter-min scatter-mul slice sort split squeeze stack tile transpose
"""
_CONTROL = "cond custom_jvp_call custom_vjp_call jit scan tensorlang.assert tensorlang.reset while"

ALLOWED: frozenset[str] = words(f"{_ELEMENTWISE} {_STRUCTURE} {_CONTROL}")
"""Names of the primitives a controller may trace to (`while` is judged by the pass `loops`)."""

DTYPES: frozenset[str] = words("bool float32 float64 int32 int64 uint32")
"""What every value is made of; 64 bits exist only where the tick is float64, since JAX narrows them elsewhere."""

_KNOWN = frozenset(np.dtype(name) for name in DTYPES)
_DTYPE = "a value of dtype {} is not part of TensorLang; use float32, int32 or Booleans."
_LAPACK = words("""
    lu cholesky eigh eig qr geqrf householder_product svd schur triangular_solve hessenberg
""")


def check(traced: Traced, budget: Budget) -> Iterator[Finding]:
    """All three programs."""
    for program in programs(traced):
        yield from of_program(program, budget)


def of_program(program: Program, budget: Budget) -> Iterator[Finding]:
    """Every primitive and every dtype that is not on the list."""
    jaxpr = program.jaxpr.jaxpr
    unmade = [v for v in jaxpr.outvars if isinstance(v, Literal) or v in jaxpr.constvars]
    for dtype in _strange(unmade):  # a constant that is returned is made by no equation
        yield Finding("primitives", "error", _DTYPE.format(dtype), *program.position(()))
    for site in program.sites():
        name = site.eqn.primitive.name
        for dtype in _strange(site.eqn.outvars):
            yield Finding("primitives", "error", _DTYPE.format(dtype), *site.position)
        if name in ALLOWED:
            continue
        hint = "use tl.linalg.solve, inv, cholesky or lstsq (n <= 8)" if name in _LAPACK else "use jnp arithmetic"
        yield Finding("primitives", "error", f"the operation {name} is not part of TensorLang; {hint}.", *site.position)


def _strange(values: Sequence[Any]) -> list[Any]:
    """Dtypes of values that are not on the list, each once."""
    dtypes = dict.fromkeys(getattr(v.aval, "dtype", None) for v in values)
    return [dtype for dtype in dtypes if dtype not in _KNOWN]
