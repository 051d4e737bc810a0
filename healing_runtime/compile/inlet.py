"""Where a loop writes its samples and an executable reads them.

A NumPy array that is handed to an executable is copied into a new buffer of XLA's, which takes a microsecond or two of
a tick. A buffer that XLA reads where it lies is handed over once and written anew at every tick.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

_ALIGNMENT = 64
"""Bytes; XLA's CPU device copies what does not begin at a multiple of it."""


class Inlet(NamedTuple):
    """A sample, as it is written (`values`) and as a tick is called with it (`sample`).

    It belongs to one loop. Before it writes, the loop must have read the packed row of the tick before: until then the
    executable may still be reading.
    """

    values: np.ndarray
    sample: Any


def inlet_for(shape: int | tuple[int, ...], dtype: Any, params: Any) -> Inlet:
    """An inlet for samples of this shape, where these parameters lie.

    Where a device does not share its memory with the host, every tick copies `values`.
    """
    values = _aligned(shape, np.dtype(dtype))
    if isinstance(params, jax.Array):
        given = jax.device_put(values, params.sharding, may_alias=True)
        (shard,) = given.addressable_shards
        if shard.data.unsafe_buffer_pointer() == values.ctypes.data:
            return Inlet(values, given)
    return Inlet(values, values)


def _aligned(shape: int | tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Zeros that begin where XLA's CPU device can read them."""
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT
    return memory[first : first + size].view(dtype).reshape(shape)
