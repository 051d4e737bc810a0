"""Caps on the text, checked before it meets Python's parser: whatever arrives, parsing takes bounded time and stack."""

from __future__ import annotations

import io
import re
import tokenize

from healing_runtime.core.errors import Location, SubsetError

MAX_BYTES = 65_536
MAX_LINES = 2_000
MAX_LINE = 2_000
MAX_NAME = 64
MAX_TOKENS = 20_000
MAX_STATEMENT_TOKENS = 1_500
MAX_BRACKETS = 24
MAX_PREFIX = 8
MAX_DEPTH = 64
MAX_NODES = 20_000

_PREFIX = frozenset({"-", "+", "~", "not", "lambda", "await", "*", "**"})
_PREFIX_RUN = re.compile(r"[-+~]{9}")
_LAYOUT = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT})
_CONTROL = re.compile(r"[^\n\x20-\x7e]")


def check_text(text: str, path: str) -> None:
    """Refuse text that is not small, flat, printable ASCII.

    Raises:
        SubsetError: at the first character or token beyond a cap.
    """
    if len(text) > MAX_BYTES:
        raise SubsetError(f"the source has {len(text)} characters; at most {MAX_BYTES} are read.", where=Location(path))
    if text.count("\n") > MAX_LINES:
        raise SubsetError(f"the source has more than {MAX_LINES} lines.", where=Location(path, MAX_LINES))
    for number, line in enumerate(text.split("\n"), start=1):  # the tokenizer's patterns are slow on long lines
        if len(line) > MAX_LINE and _PREFIX_RUN.search(line):
            raise SubsetError(
                f"more than {MAX_PREFIX} prefix operators in a row; remove them.", where=Location(path, number, 1)
            )
        if len(line) > MAX_LINE:
            raise SubsetError(
                f"this line has {len(line)} characters; at most {MAX_LINE} fit, so split it.",
                where=Location(path, number, MAX_LINE + 1),
            )
    found = _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - (text.rfind("\n", 0, found.start()) + 1) + 1
        name = "a tab" if found[0] == "\t" else f"the character {found[0]!a}"
        raise SubsetError(
            f"{name} is not printable ASCII; write plain spaces, letters and digits.",
            where=Location(path, line, column),
        )
    _check_tokens(text, path)


def _check_tokens(text: str, path: str) -> None:
    total = statement = depth = prefix = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            where = Location(path, token.start[0], token.start[1] + 1)
            total, statement = total + 1, statement + 1
            if token.type == tokenize.NEWLINE:
                statement = 0
            elif token.string in ("(", "[", "{"):
                depth += 1
            elif token.string in (")", "]", "}"):
                depth -= 1
            if token.type not in _LAYOUT:
                prefix = prefix + 1 if token.string in _PREFIX else 0
            if token.type == tokenize.NAME and len(token.string) > MAX_NAME:
                raise SubsetError(
                    f"this name has {len(token.string)} characters; at most {MAX_NAME} are read, so shorten it.",
                    where=where,
                )
            if total > MAX_TOKENS:
                raise SubsetError(f"the source has more than {MAX_TOKENS} tokens; make it smaller.", where=where)
            if statement > MAX_STATEMENT_TOKENS:
                raise SubsetError(f"this statement has more than {MAX_STATEMENT_TOKENS} tokens; split it.", where=where)
            if depth > MAX_BRACKETS:
                raise SubsetError(f"brackets are nested more than {MAX_BRACKETS} deep; name the parts.", where=where)
            if prefix > MAX_PREFIX:
                raise SubsetError(f"more than {MAX_PREFIX} prefix operators in a row; remove them.", where=where)
    except tokenize.TokenError as error:
        line, column = error.args[1]
        raise SubsetError(f"{error.args[0]}; close it.", where=Location(path, line, column + 1)) from None
    except IndentationError as error:
        raise SubsetError(f"{error.msg}.", where=Location(path, error.lineno or 0, error.offset or 0)) from None
