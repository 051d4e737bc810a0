"""`not p`: the sign turned."""

from __future__ import annotations

from healing_runtime.stl.operator import boolean

OPERATOR = boolean("not", 1, "it is not so that {0}", lambda p: -p)
