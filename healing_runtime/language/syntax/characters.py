"""Characters that are not plain ASCII: what each one is, and what to write in its place."""

from __future__ import annotations

import unicodedata

_MEANT = {
    "\t": "four spaces", "\r": "line ends as \\n alone", "\xa0": "a space", 
    "\u2018": "\"", "\u2019": "\"", "\u201c": "\"", "\u201d": "\"", "\u00ab": "\"", "\u00bb": "\"",
    "\u2212": "-", "\u2013": "-", "\u2014": "-", "\u2010": "-", "\u2011": "-",
    "\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "\u00f7": "/", "\u2264": "<=", "\u2265": ">=", "\u2260": "!=",
    "\u00b2": "** 2", "\u00b3": "** 3", "\u221a": "jnp.sqrt", "\u03c0": "jnp.pi", "\u221e": "jnp.inf",
}  # fmt: skip
_ALIKE = dict(
    zip(
        "аеорсухіјѕԁһАВЕКМНОРСТХІЈЅοαινρυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
        "aeopcyxijsdhABEKMHOPCTXIJSoaivpuxABEZHIKMNOPTYX",
        strict=True,
    )
)
"""Cyrillic and Greek letters that look like Latin ones."""


def described(character: str) -> str:
    """`the character 'а' ...; write a`: the middle of a message about one character."""
    if character == "\t":
        return "a tab is not printable ASCII; write four spaces"
    name = unicodedata.name(character, "").lower()
    code = f"the character {character!a}" + (f" ({name})" if name else "")
    alike = _ALIKE.get(character) or _narrow(character)
    if alike:
        return f"{code} looks like {alike} and is not printable ASCII; write {alike}"
    meant = _MEANT.get(character, "")
    if unicodedata.category(character) in ("Cc", "Cf", "Cs") and not meant:
        return f"{code} is not printable ASCII; remove it"
    return f"{code} is not printable ASCII; write {meant or 'plain spaces, letters and digits'}"


def _narrow(character: str) -> str:
    """The ASCII letter, digit or sign that a full-width or styled one stands for."""
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 and plain.isascii() and plain.isprintable() and plain != " " else ""
