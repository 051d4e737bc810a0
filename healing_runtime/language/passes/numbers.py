"""The table of a value numbering: one and the same value has one number; what each reads; which are constants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

Number = int
_NONE: frozenset[Number] = frozenset()


class Table:
    """Every value seen so far: one number a key, what it reads, and its element where all elements are one constant."""

    def __init__(self) -> None:
        self._known: dict[Any, Number] = {}
        self._reads: list[frozenset[Number]] = []
        self._value: dict[Number, Any] = {}
        self.made_by: dict[Number, tuple[str, Any, Number, tuple[int, ...]]] = {}

    def fresh(self, reads: frozenset[Number]) -> Number:
        """A value like no other."""
        self._reads.append(reads)
        return len(self._reads) - 1

    def source(self) -> Number:
        """A value like no other that depends on itself alone: an input."""
        number = len(self._reads)
        return self.fresh(frozenset({number}))

    def number(self, key: Any, reads: frozenset[Number]) -> Number:
        """The value of a key."""
        if key not in self._known:
            self._known[key] = self.fresh(reads)
        return self._known[key]

    def constant(self, value: Any, aval: Any) -> Number:
        """A literal or a constant array."""
        array = np.asarray(value)
        if array.ndim == 0:
            return self.full(array, aval)
        if array.size and (array.size == 1 or (array == array.flat[0]).all()):
            return self.full(array.flat[0], aval)
        return self.number(("constant", str(array.dtype), array.shape, array.tobytes()), _NONE)

    def full(self, element: Any, aval: Any) -> Number:
        """An array of one element, of the shape and dtype of an abstract value."""
        element = np.asarray(element, aval.dtype)
        number = self.number(("full", aval.dtype, aval.shape, element.tobytes()), _NONE)
        self._value[number] = element
        return number

    def value(self, number: Number) -> Any:
        """The one element of a constant; None where it has several or is no constant."""
        return self._value.get(number)

    def reads(self, number: Number) -> frozenset[Number]:
        """The inputs that a value depends on."""
        return self._reads[number]

    def union(self, numbers: Iterable[Number]) -> frozenset[Number]:
        """The inputs that several depend on."""
        return _NONE.union(*(self._reads[n] for n in numbers))
