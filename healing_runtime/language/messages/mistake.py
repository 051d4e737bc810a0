"""A mistake that shows only while the source's code runs."""

from __future__ import annotations


class Mistake(TypeError):
    """Raised by what the source calls; its text is the message: what is wrong, a semicolon, what to write instead.

    Not a HealingError: it does not know its place yet. `blaming` gives it one and makes it a SubsetError; in plain
    Python, where `tl.linalg` is called too, a TypeError is what a wrong argument raises.
    """
