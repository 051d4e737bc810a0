"""What an exported program may be made of: operations, attributes, kinds of numbers. `recheck.py` refuses the rest."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MATHEMATICS = _words("acos acosh asin asinh atanh cosh erf erf_inv erfc next_after sinh tan")
"""Functions that JAX exports as a composite operation with its decomposition beside it."""

OPERATIONS: frozenset[str] = (
    _words("func.call func.return")
    | {
        f"stablehlo.{name}"
        for name in _words("""
            abs add and atan2 bitcast_convert broadcast_in_dim case cbrt ceil clamp compare composite concatenate
            constant convert cosine divide dot_general dynamic_slice dynamic_update_slice exponential
            exponential_minus_one floor gather iota is_finite log log_plus_one logistic maximum minimum multiply negate
            not optimization_barrier or pad power reduce reduce_window remainder reshape return reverse
            round_nearest_afz round_nearest_even rsqrt scatter select sign sine slice sort sqrt subtract tan tanh
            transpose while xor
        """)
    }
    | {f"chlo.{name}" for name in MATHEMATICS}
)
"""What the functions of the vocabulary and the monitors lower to, on every device; a test lowers them all.

`stablehlo.custom_call` has no entry, and needs none: JAX writes it for shardings and for checks of shapes that are not
fixed, and a controller has neither.
"""

ATTRIBUTES: frozenset[str] = _words("""
    arg_attrs broadcast_dimensions callee compare_type comparison_direction composite_attributes decomposition dimension
    dimension_numbers dimensions dot_dimension_numbers edge_padding_high edge_padding_low function_type
    indices_are_sorted interior_padding iota_dimension is_stable limit_indices name padding permutation precision_config
    res_attrs scatter_dimension_numbers slice_sizes start_indices strides sym_name sym_visibility unique_indices value
    version window_dimensions jax.uses_shape_polymorphism mhlo.num_partitions mhlo.num_replicas
""")
"""Of operations. XLA reads more from others: where something runs, how it is compiled, what it aliases."""

ARGUMENT_ATTRIBUTES: frozenset[str] = _words("jax.buffer_donor jax.result_info tf.aliasing_output")
"""Of a function's arguments and results: what is donated, and JAX's names."""

ELEMENTS = {"float32": "f32", "float64": "f64", "bool": "i1", "int32": "i32", "int64": "i64", "uint32": "ui32"}
"""Kinds of numbers, as JAX and as StableHLO name them."""
