"""How often a loop of an exported module runs.

JAX writes every loop of the language (`scan`, `fori_loop`, `map`, `tl.while_loop`) as one and the same StableHLO: a
counter that starts at a constant, goes up by one, and is compared with a constant. So a loop of any other form is none
of ours, and one of this form ends.
"""

from __future__ import annotations

from typing import Any

from jax.interpreters.mlir import ir

_SIGNED = "#stablehlo<comparison_type SIGNED>"


def trips_of(loop: Any) -> int | None:
    """Trips of a `stablehlo.while` operation; None if it is not a loop that counts up to a constant."""
    condition, body = (region.blocks[0] for region in loop.regions)
    compare, *rest = (operation.operation for operation in condition.operations)
    if [compare.name, *(operation.name for operation in rest)] != ["stablehlo.compare", "stablehlo.return"]:
        return None
    if str(compare.attributes["comparison_direction"]) != "#stablehlo<comparison_direction LT>":
        return None
    if "compare_type" in compare.attributes and str(compare.attributes["compare_type"]) != _SIGNED:
        return None  # -1 would be the largest number
    counter, bound = compare.operands
    position = _position(counter, condition)
    if rest[0].operands[0] != compare.results[0] or position is None:
        return None
    if str(counter.type) not in ("tensor<i32>", "tensor<i64>"):
        return None
    returned = list(body.operations)[-1].operation.operands[position]
    first, last = _constant(loop.operands[position]), _constant(bound)
    if first is None or last is None or not _is_one_more(returned, body, position):
        return None
    return max(last - first, 0)


def _position(value: Any, block: Any) -> int | None:
    """Which argument of a block a value is."""
    return next((i for i, argument in enumerate(block.arguments) if argument == value), None)


def _is_one_more(value: Any, block: Any, position: int) -> bool:
    """Whether a value is the block's argument at this position, plus one."""
    operation = _made_by(value)
    if operation is None or operation.name != "stablehlo.add":
        return False
    counter, step = operation.operands
    return _position(counter, block) == position and _constant(step) == 1


def _constant(value: Any) -> int | None:
    """A whole number that stands in the module, for a scalar; None for anything else."""
    operation = _made_by(value)
    if operation is None or operation.name != "stablehlo.constant":
        return None
    try:
        numbers = ir.DenseIntElementsAttr(operation.attributes["value"])
    except ValueError:
        return None
    return int(numbers[0]) if len(numbers) == 1 else None


def _made_by(value: Any) -> Any | None:
    """The operation whose result a value is; None for an argument of a block."""
    return None if isinstance(value, ir.BlockArgument) else value.owner.operation
