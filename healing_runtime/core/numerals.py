"""Numbers as people write them."""

from __future__ import annotations

_PLAIN_BELOW = 1e9


def significant(value: float, digits: int) -> str:
    """With `digits` significant digits; a large number keeps all of its whole part, `3000` and not `3e+03`."""
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e+" in text and abs(value) < _PLAIN_BELOW else text
