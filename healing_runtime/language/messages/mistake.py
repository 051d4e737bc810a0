"""A mistake that shows only while the source's code runs."""

from __future__ import annotations


class Mistake(TypeError):
    """Raised by what the source calls; its text is the message: what is wrong, a semicolon, what to write instead."""
