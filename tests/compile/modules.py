"""Modules as exported programs carry them, written by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export as jax_export
from jax.interpreters import mlir
from jaxlib.mlir.dialects import stablehlo

from healing_runtime.compile import recheck
from healing_runtime.core.errors import SubsetError

CALL = "%y = call @{}(%x) : (tensor<2xf32>) -> tensor<2xf32>"
FUNCTION = "func.func private @{}(%a: tensor<2xf32>) -> tensor<2xf32> {{ {} return %b : tensor<2xf32> }}\n"
INNER = "%{} = call @{}(%{}) : (tensor<2xf32>) -> tensor<2xf32>\n"

LOOP = """
    %first = stablehlo.constant dense<{first}> : tensor<i32>
    %last = stablehlo.constant dense<{last}> : tensor<i32>
    %one = stablehlo.constant dense<{step}> : tensor<i32>
    %n, %y = stablehlo.while(%i = {start}, %v = %x) : tensor<i32>, tensor<2xf32>
    cond {{ {more} %t = stablehlo.compare {direction}, %i, {bound}{kind} : (tensor<i32>, tensor<i32>) -> tensor<i1>
           stablehlo.return %t : tensor<i1> }}
    do {{ %j = stablehlo.{add} %i, %one : tensor<i32>
         %w = {inner} %v : tensor<2xf32>
         stablehlo.return {next}, %w : tensor<i32>, tensor<2xf32> }}
"""
ORDINARY = {
    "first": 0,
    "last": 10,
    "step": 1,
    "start": "%first",
    "bound": "%last",
    "direction": "LT",
    "kind": ", SIGNED",
    "add": "add",
    "next": "%j",
    "more": "",
    "inner": "stablehlo.abs",
}

SINE = jax_export.export(jax.jit(jnp.sin))(np.zeros(2, np.float32))


def module(body: str, more: str = "") -> jax_export.Exported:
    """A program with this module; `%x` is what `main` is given, `%y` what it returns."""
    text = f"""module {{
      func.func public @main(%x: tensor<2xf32>) -> tensor<2xf32> {{
        {body}
        return %y : tensor<2xf32>
      }}
      {more}
    }}"""
    with mlir.make_ir_context():
        return carrying(stablehlo.serialize_portable_artifact_str(text, stablehlo.get_current_version()))


def carrying(serialized: bytes) -> jax_export.Exported:
    return dataclasses.replace(SINE, mlir_module_serialized=serialized)


def refused(program: jax_export.Exported, why: str) -> None:
    with pytest.raises(SubsetError, match=why):
        recheck.check(program)
