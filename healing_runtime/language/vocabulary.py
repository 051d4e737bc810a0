"""The words of TensorLang: every name a source may use, as plain data.

An allowlist. What is not here does not exist, in the syntax check (`subset`) as in the namespaces that are bound
at load time (`namespace`). Nothing here imports JAX.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_JNP_FUNCTIONS = words("""
    abs absolute acos acosh add all any arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax
    argmin array array_equal asarray asin asinh astype atan atan2 atanh atleast_1d atleast_2d broadcast_to cbrt
    ceil clip concatenate cos cosh cross cumprod cumsum deg2rad degrees diag diff divide dot
    equal exp exp2 expand_dims expm1 eye fabs flip floor floor_divide float_power fmax fmin fmod full full_like
    greater greater_equal heaviside hstack hypot identity inner interp invert isclose isfinite isinf isnan kron
    less less_equal linspace log log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor
    matmul max maximum mean median min minimum mod moveaxis multiply nan_to_num nanmax nanmin negative not_equal
    ones ones_like outer polyval positive power prod rad2deg radians ravel reciprocal remainder repeat reshape
    rint roll round sign sin sinc sinh sqrt square squeeze stack std subtract sum swapaxes take take_along_axis
    tan tanh tensordot tile trace transpose tril triu true_divide trunc var vdot vecdot vstack where zeros
    zeros_like
""")

_LAX_FUNCTIONS = words("""
    associative_scan clamp cond dynamic_index_in_dim dynamic_slice dynamic_slice_in_dim
    dynamic_update_index_in_dim dynamic_update_slice dynamic_update_slice_in_dim fori_loop map rsqrt scan select
    stop_gradient switch
""")

_NN_FUNCTIONS = words("""
    celu elu gelu hard_sigmoid hard_tanh leaky_relu log_sigmoid log_softmax logsumexp relu relu6 selu sigmoid
    silu soft_sign softmax softplus swish
""")

_MATH_FUNCTIONS = words("""
    acos asin atan atan2 ceil copysign cos cosh degrees exp fabs floor fmod hypot log log10 log1p log2 radians
    sin sinh sqrt tan tanh
""")

FUNCTIONS: Mapping[str, frozenset[str]] = {
    "jnp": _JNP_FUNCTIONS,
    "jnp.linalg": frozenset({"norm", "cross", "outer", "matmul", "trace", "vecdot"}),
    "lax": _LAX_FUNCTIONS,
    "nn": _NN_FUNCTIONS,
    "math": _MATH_FUNCTIONS,
    "scipy.special": frozenset({"erf", "erfc", "expit", "logit", "logsumexp", "xlog1py", "xlogy"}),
    "tl": frozenset({"copy", "implies", "reset", "while_loop"}),
    "tl.linalg": frozenset({"cholesky", "inv", "lstsq", "solve"}),
}
"""Namespace -> functions that may be called."""

CONSTANTS: Mapping[str, frozenset[str]] = {
    "jnp": frozenset({"bool_", "e", "float32", "inf", "int32", "newaxis", "pi"}),
    "math": frozenset({"e", "inf", "pi", "tau"}),
}
"""Namespace -> values that may be read."""

NAMESPACES: frozenset[str] = frozenset(FUNCTIONS) | {"scipy"}
ROOTS: frozenset[str] = frozenset(name for name in NAMESPACES if "." not in name)

IMPORTS: Mapping[str, str] = {
    "jnp": "import jax.numpy as jnp",
    "lax": "from jax import lax",
    "nn": "from jax import nn",
    "scipy": "from jax import scipy",
    "math": "import math",
    "tl": "from healing_runtime import tensorlang as tl",
}
"""Namespace root -> the import statement that makes it known."""

BUILTINS: frozenset[str] = words("""
    abs bool enumerate float int len max min range round sum tuple list zip
""")

HIGHER_ORDER: Mapping[str, tuple[int, ...]] = {
    "lax.associative_scan": (0,),
    "lax.cond": (1, 2),
    "lax.fori_loop": (2,),
    "lax.map": (0,),
    "lax.scan": (0,),
    "lax.switch": (1,),
    "tl.while_loop": (0, 1),
}
"""Functions that take functions -> the positions at which they do."""

KEYWORDS: frozenset[str] = words("""
    a_max a_min axis axis1 axis2 bias body body_fun cond copy ddof decimals dtype endpoint fill_value indexing
    init initial init_val k keepdims length lower max max_trips min nan neginf num offset ord posinf repeats
    reverse shape shift slice_sizes start step stop true_fun false_fun upper where x xs
""")
"""Keyword arguments that calls of the vocabulary may use."""

ATTRIBUTES: frozenset[str] = frozenset({"shape", "ndim", "dtype", "size", "T", "at"})
METHODS: frozenset[str] = frozenset({"set", "add", "min", "max", "sum"})

CONTRACT_NAMES: frozenset[str] = frozenset({"obs", "action", "state", "next_state", "params"})
"""Names a contract assert may use."""

FINITE_ACTION_SLUG = "finite-action"
RESERVED_SLUGS: frozenset[str] = frozenset({FINITE_ACTION_SLUG})
"""Slugs of asserts that the runtime adds to every controller: no source may use them."""

KEY = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
"""Dictionary keys and subscripts."""


def known(dotted: str) -> bool:
    """True for a function or constant of the vocabulary, by its dotted name."""
    return is_function(dotted) or is_constant(dotted)


def is_function(dotted: str) -> bool:
    """True for a function of the vocabulary."""
    space, _, name = dotted.rpartition(".")
    return name in FUNCTIONS.get(space, ())


def is_constant(dotted: str) -> bool:
    """True for a constant of the vocabulary."""
    space, _, name = dotted.rpartition(".")
    return name in CONSTANTS.get(space, ())
