"""How much an exported module does in one run, and how much its values hold: counted, nothing is run.

The count follows what the compiler would be handed: loops and calls multiplied out, the dearest branch of each `case`,
and what stands inside of a reduction, a sort or a scatter once for each number that it is applied to.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from jax.interpreters.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from healing_runtime.compile.trips import trips_of

CALLS: Mapping[str, str] = {"func.call": "callee", "stablehlo.composite": "decomposition"}
"""Operations that call a function, and the attribute that names it."""

_COMPOSITE = 64.0
"""Steps an element of a composite: XLA goes by its name or by its decomposition, so both are counted."""

_BYTES = {"i1": 1, "i32": 4, "ui32": 4, "f32": 4, "i64": 8, "f64": 8}


_PARTS = frozenset({"stablehlo.dynamic_slice", "stablehlo.gather", "stablehlo.slice"})
"""Operations that read no more of their first operand than they write."""


_UPDATE = "stablehlo.dynamic_update_slice"


class Load(NamedTuple):
    """What one run takes.

    Attributes:
        work: numbers read and written by all operations; those of a product once for each number it contracts, those
            of a window once for each number in it.
        value_bytes: all values together, as if none was ever let go; those of a loop's body once.
        updated: of a function, the results that are an argument with a part of it written anew, and which argument.
    """

    work: float
    value_bytes: float
    updated: Mapping[int, int] = {}


def heaviest(functions: Mapping[str, Any]) -> Load:
    """The most that any of a module's functions takes; each must stand after those it calls."""
    found: dict[str, Load] = {}
    for name, function in functions.items():
        inside = function.regions[0].blocks[0].operations
        updated = [_handed_on(operation.operation, 0, 0) for operation in inside if operation.operation.name == _UPDATE]
        found[name] = _region(function.regions[0], found)._replace(
            updated={result: argument for argument, result in filter(None, updated)}
        )
    return Load(max(load.work for load in found.values()), max(load.value_bytes for load in found.values()))


def window_of(operation: Any) -> int:
    """Numbers in the window of a `reduce_window`; 1 for any other operation."""
    if operation.name != "stablehlo.reduce_window":
        return 1
    return math.prod(abs(size) for size in ir.DenseI64ArrayAttr(operation.attributes["window_dimensions"]))


def _region(region: Any, found: Mapping[str, Load]) -> Load:
    inside = [_operation(operation.operation, found) for block in region.blocks for operation in block.operations]
    given = sum(_bytes(argument.type) for block in region.blocks for argument in block.arguments)
    return Load(sum(load.work for load in inside), given + sum(load.value_bytes for load in inside))


def _operation(operation: Any, found: Mapping[str, Load]) -> Load:
    name = operation.name
    made = sum(_bytes(value.type) for value in operation.results)
    moved = _moved(operation, found)
    if name in CALLS:
        called = found[ir.FlatSymbolRefAttr(operation.attributes[CALLS[name]]).value]
        return Load(moved + called.work, made + called.value_bytes)
    if name == "stablehlo.dot_general":
        return Load(moved + 2.0 * _numbers(operation.results) * _contracted(operation), made)
    regions = [_region(region, found) for region in operation.regions]
    if not regions:
        return Load(moved, made)
    if name == "stablehlo.case":
        return Load(moved + max(r.work for r in regions), made + max(r.value_bytes for r in regions))
    inside, held = sum(r.work for r in regions), made + sum(r.value_bytes for r in regions)
    if name == "stablehlo.while":
        return Load(moved + (1 + (trips_of(operation) or 0)) * (_exchanged(operation) + inside), held)
    return Load(moved + _applications(operation) * inside, held)


def _moved(operation: Any, found: Mapping[str, Load]) -> float:
    """Numbers that an operation itself reads and writes, once."""
    name, operands, results = operation.name, list(operation.operands), list(operation.results)
    if name == "func.call":
        updated = found[ir.FlatSymbolRefAttr(operation.attributes["callee"]).value].updated
        return 2.0 * _numbers(r for i, r in enumerate(results) if not _in_place(operation, updated.get(i), i))
    if name == "stablehlo.composite":
        return _COMPOSITE * _numbers([*operands, *results])
    if name == _UPDATE and (_in_place(operation, 0, 0) or _of_function(operation)):
        return 2.0 * _numbers(operands[1:])
    if name == "stablehlo.while":
        body = operation.regions[1].blocks[0]
        returned = list(body.operations)[-1].operation.operands
        return 2.0 * _numbers(r for i, r in enumerate(results) if _place(returned[i], body) != i)
    if name in ("func.return", "stablehlo.return"):
        return 0.0
    if name in _PARTS:
        return 2.0 * _numbers(results) + _numbers(operands[1:])
    return _numbers([*operands, *results])


def _in_place(operation: Any, operand: int | None, result: int) -> bool:
    """Whether a loop hands on an argument with a part of it written anew, as JAX writes what a `scan` stacks."""
    if operand is None or operation.parent.operation.name != "stablehlo.while":
        return False
    handed = _handed_on(operation, operand, result)
    return handed is not None and handed[0] == handed[1]


def _of_function(operation: Any) -> bool:
    """Whether a function does; its caller sees to the rest."""
    return operation.parent.operation.name == "func.func" and _handed_on(operation, 0, 0) is not None


def _handed_on(operation: Any, operand: int, result: int) -> tuple[int, int] | None:
    """The block's argument that an operation takes, and the place in which the block returns what is made of it.

    None where the operand is no argument, or either is used for anything else.
    """
    taken, uses = operation.operands[operand], list(operation.results[result].uses)
    place = _place(taken, operation.block)
    if place is None or len(list(taken.uses)) != 1 or len(uses) != 1:
        return None
    last = uses[0].owner.operation
    return (place, uses[0].operand_number) if last.name in ("stablehlo.return", "func.return") else None


def _exchanged(loop: Any) -> float:
    """Numbers that a trip moves from one place of its carry to another, or in from outside, without an operation."""
    body = loop.regions[1].blocks[0]
    returned = list(body.operations)[-1].operation.operands
    return 2.0 * _numbers(v for i, v in enumerate(returned) if not _made_in(v, body) and _place(v, body) != i)


def _made_in(value: Any, block: Any) -> bool:
    """Whether an operation of this block makes a value."""
    return not isinstance(value, ir.BlockArgument) and value.owner.operation.block == block


def _place(value: Any, block: Any) -> int | None:
    """Which argument of a block a value is; None if it is none."""
    if not isinstance(value, ir.BlockArgument) or value.owner != block:
        return None
    return ir.BlockArgument(value).arg_number


def _applications(operation: Any) -> float:
    """How often a reduction, a sort or a scatter runs what stands inside of it."""
    match operation.name:
        case "stablehlo.reduce_window":
            return _numbers([operation.results[0]]) * window_of(operation)
        case "stablehlo.sort":
            size = _numbers([operation.operands[0]])
            return size * max(1.0, math.log2(size + 1.0))
        case "stablehlo.scatter":
            return _numbers([operation.operands[len(operation.operands) - 1]])
        case _:
            return max((_numbers([value]) for value in operation.operands), default=1.0)


def _contracted(operation: Any) -> float:
    """The numbers that each number of a product is summed over."""
    dimensions = stablehlo.DotDimensionNumbers(operation.attributes["dot_dimension_numbers"])
    shape = operation.operands[0].type.shape
    return float(math.prod(shape[axis] for axis in dimensions.lhs_contracting_dimensions))


def _numbers(values: Iterable[Any]) -> float:
    return float(sum(math.prod(value.type.shape) for value in values))


def _bytes(found: Any) -> float:
    return float(math.prod(found.shape) * _BYTES[str(found.element_type)])
