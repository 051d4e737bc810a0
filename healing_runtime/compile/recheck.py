"""The re-check: what an exported program may hold, whatever was said of it before it was exported.

A program reaches the builder from a process that ran a stranger's source. So its StableHLO is parsed and walked here,
operation by operation, through every region and every function, against a list of what is known (`operations.py`); what
is not on the list is refused by name, and so is a loop that may not end. Nothing is compiled before this has passed.

StableHLO: https://openxla.org/stablehlo/spec. What XLA's own parser does with hostile bytes is its own affair; the
builder is a confined process.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jax import export as jax_export
from jax.interpreters import mlir
from jax.interpreters.mlir import ir

from healing_runtime.compile.operations import ARGUMENT_ATTRIBUTES, ATTRIBUTES, ELEMENTS, MATHEMATICS, OPERATIONS
from healing_runtime.compile.trips import trips_of
from healing_runtime.compile.work import CALLS, Load, heaviest, window_of
from healing_runtime.core.errors import SubsetError
from healing_runtime.language.passes.program import Budget

MAX_BYTES = 8 << 20
MAX_OPERATIONS = 100_000
"""Operations of a module, and of its `main` once every call is written out."""
MAX_DEPTH = 40
"""Regions within regions, and calls within calls."""
MAX_TRIPS = Budget().trips
"""Product of nested trip counts, calls included."""
MAX_ELEMENTS = 1 << 24
"""Numbers in one value."""
MAX_WINDOW = 1 << 16
"""Numbers in one window. A sum along an axis is one as long as the axis, and the pass `cost` allows none above 4472."""
MAX_WORK = 4e9
"""Numbers read and written in one run (`work.py`).

The pass `cost` allows 2e8 bytes and 2e7 operations. Functions of the vocabulary count for up to ten times the sum of
the two here (`erf`, written out), and none of them can use up both.
"""
MAX_VALUE_BYTES = float(1 << 30)
"""All values together; the pass `cost` allows 1.6e7 bytes at once, and 5e8 are the most that a test finds within it."""


_MANY = 1 << 40
"""More than any bound here; counts stop there."""


class _Function(NamedTuple):
    """A function of a module.

    Its own operations and largest product of nested trip counts, what it calls how often, and inside of how many trips.
    """

    operations: int
    calls: Mapping[str, int]
    trips: int
    trips_around: Mapping[str, int]


def rechecked(data: bytes, platform: str = "cpu") -> jax_export.Exported:
    """Exported bytes as a program that has passed the re-check and may be called.

    Raises:
        SubsetError: they are no exported program, or one that the re-check refuses; with the reason.
    """
    if len(data) > MAX_BYTES:
        raise _refused(f"it has {len(data)} bytes; at most {MAX_BYTES} are taken")
    try:
        exported = jax_export.deserialize(bytearray(data))
    except Exception as error:
        raise _refused(f"it cannot be read ({type(error).__name__})") from None
    if exported.platforms != (platform,):
        raise _refused(f"it was exported for {', '.join(exported.platforms)} and is to run on {platform}")
    if exported.nr_devices != 1 or exported.ordered_effects or exported.unordered_effects:
        raise _refused("it has effects or wants several devices")
    if exported.disabled_safety_checks:
        raise _refused("it was exported with checks turned off")
    check(exported)
    return exported


def check(exported: jax_export.Exported) -> None:
    """Walk the module that calling the program would hand to the compiler.

    Raises:
        SubsetError: something is not on the list, or there is too much of it.
    """
    with mlir.make_ir_context():
        try:
            module = exported.mlir_module(serialized=False)
            module.operation.verify()
        except Exception as error:
            raise _refused(f"its StableHLO cannot be read ({_first_line(error)})") from None
        functions, written = dict[str, _Function](), dict[str, Any]()
        _check_attributes(module.operation)
        for operation in module.body.operations:
            if operation.operation.name != "func.func":
                raise _refused(f"{operation.operation.name} outside a function")
            name = ir.StringAttr(operation.attributes["sym_name"]).value
            functions[name], written[name] = _function(operation.operation), operation.operation
        if "main" not in functions:
            raise _refused("it has no function main")
        _check_main(module, exported)
        operations, trips, order = _written_out(functions)
        if sum(f.operations for f in functions.values()) > MAX_OPERATIONS or operations > MAX_OPERATIONS:
            raise _refused(f"it has more than {MAX_OPERATIONS} operations")
        if trips > MAX_TRIPS:
            raise _refused(f"its nested loops make {trips} trips; at most {MAX_TRIPS} are allowed")
        _check_load(heaviest({name: written[name] for name in order}))


def _check_load(load: Load) -> None:
    if load.work > MAX_WORK:
        raise _refused(f"it reads and writes {load.work:.3g} numbers in one run; at most {MAX_WORK:.3g} are allowed")
    if load.value_bytes > MAX_VALUE_BYTES:
        raise _refused(f"its values hold {load.value_bytes:.3g} bytes; at most {MAX_VALUE_BYTES:.3g} are allowed")


def _function(function: Any) -> _Function:
    count, most, calls, around = 0, 1, Counter[str](), dict[str, int]()
    if not function.regions[0].blocks:
        raise _refused("it declares a function that it does not define")
    for operation, trips in _operations(function, 1, 0):
        count, most = count + 1, max(most, trips)
        if count > MAX_OPERATIONS:
            raise _refused(f"it has more than {MAX_OPERATIONS} operations")
        name = operation.name
        if name not in OPERATIONS and operation != function:
            raise _refused(f"{name} is not an operation of TensorLang")
        _check_attributes(operation)
        for result in operation.results:
            _check_type(result.type)
        if window_of(operation) > MAX_WINDOW:
            raise _refused(f"a window of {window_of(operation)} numbers; at most {MAX_WINDOW} are allowed")
        if name == "stablehlo.composite":
            _check_composite(operation)
        if name in CALLS:
            called = ir.FlatSymbolRefAttr(operation.attributes[CALLS[name]]).value
            calls[called] += 1
            around[called] = max(around.get(called, 1), trips)
    return _Function(count, calls, most, around)


def _operations(operation: Any, trips: int, depth: int) -> Iterator[tuple[Any, int]]:
    """An operation and everything inside it, each with the product of the trips around it."""
    if depth > MAX_DEPTH:
        raise _refused(f"its regions are nested more than {MAX_DEPTH} deep")
    yield operation, trips
    if operation.name == "stablehlo.while":
        own = trips_of(operation)
        if own is None:
            raise _refused("a loop that does not count up to a constant")
        trips *= max(own, 1)
    for region in operation.regions:
        for block in region.blocks:
            for argument in block.arguments:
                _check_type(argument.type)
            for inner in block.operations:
                yield from _operations(inner.operation, trips, depth + 1)


def _check_attributes(operation: Any) -> None:
    for name in operation.attributes:
        if name not in ATTRIBUTES:
            raise _refused(f"{operation.name} has the attribute {name}, which is not one of TensorLang's")
        if name in ("arg_attrs", "res_attrs"):
            for one in ir.ArrayAttr(operation.attributes[name]):
                for inner in ir.DictAttr(one):
                    if inner.name not in ARGUMENT_ATTRIBUTES:
                        raise _refused(f"an argument has the attribute {inner.name}, which is not one of TensorLang's")


def _check_main(module: Any, exported: jax_export.Exported) -> None:
    """What is said of the program is what it holds: JAX goes by the one, XLA by the other."""
    (main,) = (f for f in module.body.operations if ir.StringAttr(f.attributes["sym_name"]).value == "main")
    kind: Any = ir.FunctionType(ir.TypeAttr(main.attributes["function_type"]).value)
    kept, count = exported.module_kept_var_idx, len(exported.in_avals)
    said = [[exported.in_avals[i] for i in kept if 0 <= i < count], exported.out_avals]
    found = [[(list(t.shape), str(t.element_type)) for t in types] for types in (kind.inputs, kind.results)]
    if list(kept) != sorted(set(kept)) or found != [
        [(list(aval.shape), ELEMENTS.get(aval.dtype.name)) for aval in avals] for avals in said
    ]:
        raise _refused("its main function does not take and give what is said of it")


def _check_composite(operation: Any) -> None:
    name = ir.StringAttr(operation.attributes["name"]).value
    if name.removeprefix("chlo.") not in MATHEMATICS or not name.startswith("chlo."):
        raise _refused(f"the composite {name} is not an operation of TensorLang")


def _check_type(found: Any) -> None:
    if not isinstance(found, ir.RankedTensorType) or not found.has_static_shape or found.encoding is not None:
        raise _refused(f"a value of type {found}; every value is an array of fixed shape")
    if str(found.element_type) not in ELEMENTS.values():
        raise _refused(f"a value of type {found}; {', '.join(sorted(ELEMENTS.values()))} are what TensorLang has")
    if math.prod(found.shape) > MAX_ELEMENTS:
        raise _refused(f"a value of type {found}; at most {MAX_ELEMENTS} numbers are allowed")


def _written_out(functions: Mapping[str, _Function]) -> tuple[int, int, list[str]]:
    """Most operations and most nested trips with every call replaced by what it calls (the compiler does that).

    And the names of the functions, each after those that it calls.

    Raises:
        SubsetError: a function calls itself, by whatever way.
    """
    callers: dict[str, list[str]] = {name: [] for name in functions}
    for name, function in functions.items():
        for called in function.calls:
            callers.setdefault(called, []).append(name)
    waits = {name: len(function.calls) for name, function in functions.items()}
    ready = [name for name, count in waits.items() if not count]
    sizes, trips, depths = dict[str, int](), dict[str, int](), dict[str, int]()
    while ready:
        name = ready.pop()
        own = functions[name]
        size = own.operations + sum(times * sizes[called] for called, times in own.calls.items())
        most = max(own.trips, *(around * trips[called] for called, around in own.trips_around.items()), 1)
        sizes[name], trips[name] = min(size, _MANY), min(most, _MANY)
        depths[name] = 1 + max((depths[called] for called in own.calls), default=0)
        for caller in callers[name]:
            waits[caller] -= 1
            if not waits[caller]:
                ready.append(caller)
    if len(sizes) < len(functions):
        raise _refused("its functions call themselves, or what is not there")
    if max(depths.values()) > MAX_DEPTH:
        raise _refused(f"its calls are nested more than {MAX_DEPTH} deep")
    return max(sizes.values()), max(trips.values()), list(sizes)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "error:" in line] or [type(error).__name__]
    return lines[0].rpartition("error: ")[2][:200]


def _refused(why: str) -> SubsetError:
    return SubsetError(f"the exported program is refused: {why}.")
