"""What an executable needs, as XLA says it."""

from __future__ import annotations

from typing import Any, NamedTuple

from healing_runtime.compile.vectors import Vectors


class Memory(NamedTuple):
    """Bytes of one call.

    Attributes:
        arguments: parameters, carry, observed and true values.
        outputs: the carry and the packed array.
        temporary: scratch while it runs.
        code: of the compiled program; 0 where XLA does not say (its CPU compiler does not).
        aliased: of the arguments that the outputs reuse; all of the carry, or a tick would copy it.
        carry: what goes from tick to tick.
    """

    arguments: int
    outputs: int
    temporary: int
    code: int
    aliased: int
    carry: int


def memory_of(compiled: Any, carry: Vectors) -> Memory:
    """Memory of a compiled or loaded tick."""
    found = compiled.memory_analysis()
    return Memory(
        arguments=found.argument_size_in_bytes,
        outputs=found.output_size_in_bytes,
        temporary=found.temp_size_in_bytes,
        code=found.generated_code_size_in_bytes,
        aliased=found.alias_size_in_bytes,
        carry=sum(part.nbytes for part in carry),
    )
