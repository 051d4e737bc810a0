"""Records to JSON and back, for pipes, files and the ledger.

Numbers that are not finite: ±inf is written as "inf" / "-inf"; NaN never appears and is written as null (physics.md).
The canonical form has sorted keys and no spaces, so equal records are equal bytes.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def plain(value: Any) -> Any:
    """Records, enums, NumPy and containers -> plain JSON values."""
    if (isinstance(value, bool | str | int) and not isinstance(value, enum.Enum)) or value is None:
        return value
    if isinstance(value, enum.IntEnum):
        return int(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, float | np.floating):
        number = float(value)
        if math.isnan(number):
            return None
        return ("inf" if number > 0 else "-inf") if math.isinf(number) else number
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def canonical(value: Any) -> bytes:
    """Canonical JSON bytes of a record or plain value."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def digest(value: Any) -> str:
    """`sha256:` and the hash of the canonical form; bytes and text are hashed as they are."""
    if isinstance(value, str):
        value = value.encode(errors="surrogatepass")  # a brain's JSON may hold half of a pair
    data = value if isinstance(value, bytes) else canonical(value)
    return "sha256:" + hashlib.sha256(data).hexdigest()


@functools.cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def make_ready(*kinds: Any) -> None:
    """Make what `read` needs for these classes, which takes milliseconds each; it is made once a process."""
    for kind in kinds:
        _adapter(kind)


def read(kind: type[T], value: Any) -> T:
    """Plain JSON values -> a record of the given class. pydantic.ValidationError where they do not fit."""
    return _adapter(kind).validate_python(value)
