"""The operators of the language, one file each; a new file is picked up by itself.

A module that does not start with an underscore exports `OPERATOR: stl.operator.Operator`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from healing_runtime.stl.operator import Operator


def _discover() -> Mapping[str, Operator]:
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    found = [importlib.import_module(f"{__name__}.{name}").OPERATOR for name in names]
    return MappingProxyType({operator.name: operator for operator in found})


OPERATORS: Mapping[str, Operator] = _discover()
"""Name -> operator."""
