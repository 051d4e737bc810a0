"""`CMA`, the evolution strategy of the `cmaes` package, without the rest of the package.

The package imports its variants, and they all of scipy.stats: as much time as JAX takes, in every zygote, also in that
of a `heal check`, which searches nothing. The strategy itself needs NumPy alone and stands in one file.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cmaes import CMA
else:

    def _strategy() -> Any:
        found = importlib.util.find_spec("cmaes")
        file = Path(found.origin if found and found.origin else "").with_name("_cma.py")
        if not file.is_file():  # another layout than that of the versions we know
            import cmaes

            return cmaes.CMA
        spec = importlib.util.spec_from_file_location(f"{__package__}.strategy._cma", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.CMA

    CMA = _strategy()

__all__ = ["CMA"]
