"""What an executable needs, as XLA says it."""

from __future__ import annotations

from typing import NamedTuple

import jax

from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.errors import InputError


class Memory(NamedTuple):
    """Bytes of one call.

    Attributes:
        arguments: parameters, carry and sample.
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


def memory_of(compiled: jax.stages.Compiled, carry: Vectors) -> Memory:
    """Memory of a compiled or loaded tick. InputError where XLA does not tell it."""
    found = compiled.memory_analysis()
    if found is None:
        raise InputError("XLA does not tell what memory a program needs on this device; ask one compiled for the cpu.")
    return Memory(
        arguments=found.argument_size_in_bytes,
        outputs=found.output_size_in_bytes,
        temporary=found.temp_size_in_bytes,
        code=found.generated_code_size_in_bytes,
        aliased=found.alias_size_in_bytes,
        carry=sum(part.nbytes for part in carry),
    )
