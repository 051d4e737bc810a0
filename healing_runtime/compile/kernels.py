"""From a tick to what XLA compiles: as many kernels, as usual, or as one.

A tick has about a hundred small results. Each kernel of its own costs a dispatch, a share of the compile time, and most
of all code and tables that are no longer in the caches after a physics step of every world.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend.core import jaxpr_as_fun
from jax.interpreters import mlir
from jax.interpreters.mlir import ir

from healing_runtime.language.vocabulary import words

_ELEMENTWISE = words("""
    abs add and atan2 bitcast_convert broadcast_in_dim ceil clamp compare concatenate constant convert cosine divide
    exponential exponential_minus_one floor iota is_finite log log_plus_one logistic maximum minimum multiply negate not
    or pad power reduce remainder reshape return reverse round_nearest_afz round_nearest_even rsqrt select sign sine
    slice sqrt subtract tan tanh transpose xor
""")
_EMITTED = {f"stablehlo.{name}" for name in _ELEMENTWISE} | words("builtin.module func.func func.call func.return")
"""What XLA's CPU compiler writes element by element, whatever is around it: no loops, branches, products of matrices or
indices that are data.
"""


_OWN_KERNELS: dict[str, str | bool] = {"xla_cpu_experimental_ynn_fusion_type": ""}
"""Sums over 32 lanes and more are else given to a library of ready kernels, which cannot be part of another one.

For batches alone: with an option of ours XLA does not write the same executable each time.
"""


def emitted_whole(exported: jax.export.Exported) -> bool:
    """Whether nothing in a program asks more of `lower_as_one_kernel` than writing elements: it may run in any process.

    XLA aborts on some of what is not on the list, and on arrays without elements.
    """
    found = set[str]()

    def look(operation: Any) -> Any:
        found.add(operation.name)
        return ir.WalkResult.ADVANCE

    with mlir.make_ir_context():
        exported.mlir_module(serialized=False).operation.walk(look)
    filled = all(aval.size for aval in (*exported.in_avals, *exported.out_avals))
    return exported.platforms == ("cpu",) and filled and found <= _EMITTED


def compiled(function: Callable[..., Any], *arguments: Any, one_kernel: bool) -> jax.stages.Compiled:
    """Compile a tick; its second argument is donated. Where XLA answers that it cannot write one kernel, as usual."""
    if one_kernel:
        batch = np.ndim(arguments[1]) > 1
        try:
            return lower_as_one_kernel(function, *arguments).compile(compiler_options=_OWN_KERNELS if batch else None)
        except jax.errors.JaxRuntimeError:
            pass
    return lower(function, *arguments).compile()


def lower(function: Callable[..., Any], *arguments: Any) -> jax.stages.Lowered:
    """Lower a tick; its second argument is donated."""
    return jax.jit(function, donate_argnums=(1,)).lower(*arguments)


def lower_as_one_kernel(function: Callable[..., Any], *arguments: Any) -> jax.stages.Lowered:
    """Lower a tick so that XLA's CPU compiler emits it as one kernel.

    XLA emits a call with these attributes whole (its own use of them is for small loops); a compiler that does not know
    them ignores them.
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
    structure = jax.tree.structure(shape)

    def around(used: Sequence[int]) -> Callable[..., Any]:
        leaves = jax.tree.leaves(arguments)

        def body(*given: Any) -> Any:
            filled = [np.zeros_like(leaf) for leaf in leaves]
            for i, value in zip(used, given, strict=True):
                filled[i] = value
            return jaxpr_as_fun(closed)(*filled)

        inner = jax.jit(body, inline=False)

        def whole(*values: Any) -> Any:
            flat = jax.tree.leaves(values)
            with set_xla_metadata(xla_cpu_small_call="true", inlineable="false"):
                return jax.tree.unflatten(structure, inner(*(flat[i] for i in used)))

        return whole

    def with_all(function: Callable[..., Any]) -> jax.stages.Lowered:
        # Else JAX leaves out what is not used, and the others are no longer where they are looked for.
        return jax.jit(function, donate_argnums=(1,), keep_unused=True).lower(*arguments)

    everything = range(len(jax.tree.leaves(arguments)))
    lowered = with_all(around(everything))
    used = _keep_outermost(lowered.compiler_ir("stablehlo"))
    if len(used) < len(everything):
        # XLA aborts on an argument of such a call that nothing uses.
        lowered = with_all(around(used))
        _keep_outermost(lowered.compiler_ir("stablehlo"))
    return lowered


def _keep_outermost(module: Any) -> tuple[int, ...]:
    """Take the attributes off the calls inside, which are to be inlined.

    Returns which arguments of the outermost call are used.
    """

    def strip(operation: Any) -> Any:
        if "mhlo.frontend_attributes" in operation.attributes:
            del operation.attributes["mhlo.frontend_attributes"]
        return ir.WalkResult.ADVANCE

    functions = {ir.StringAttr(f.attributes["sym_name"]).value: f for f in module.body.operations}
    for name, function in functions.items():
        if name != "main":
            function.operation.walk(strip)
    calls = [op for op in functions["main"].regions[0].blocks[0].operations if op.operation.name == "func.call"]
    called = functions[ir.FlatSymbolRefAttr(calls[0].attributes["callee"]).value]
    arguments = called.regions[0].blocks[0].arguments
    return tuple(i for i, argument in enumerate(arguments) if any(True for _ in argument.uses))
