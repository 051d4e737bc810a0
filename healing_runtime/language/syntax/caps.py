"""Caps on the text, checked before it meets Python's parser: whatever arrives, parsing takes bounded time and stack."""

from __future__ import annotations

import io
import re
import tokenize

from healing_runtime.core.errors import SubsetError
from healing_runtime.language.messages import refusal
from healing_runtime.language.syntax.characters import described

MAX_CHARACTERS = 65_536
MAX_LINES = 2_000
MAX_LINE = 2_000
MAX_NAME = 64
MAX_TOKENS = 20_000
MAX_STATEMENT_TOKENS = 1_500
MAX_BRACKETS = 24
MAX_PREFIX = 8
MAX_DEPTH = 64
MAX_NODES = 20_000

_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_PREFIX = frozenset({"-", "+", "~", "not", "lambda", "await", "*", "**"})
_PREFIX_RUN = re.compile(rf"[-+~]{{{MAX_PREFIX + 1}}}")
_LAYOUT = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT})
_UNPRINTABLE = re.compile(r"[^\n\x20-\x7e]")


def check_text(text: str, path: str) -> None:
    """Refuse text that is not small, flat, printable ASCII.

    Raises:
        SubsetError: at the first character or token beyond a cap.
    """
    if len(text) > MAX_CHARACTERS:
        message = f"the source has {len(text)} characters, and at most {MAX_CHARACTERS} are read; make it smaller"
        raise refusal.at_place(message, path)
    if text.count("\n") > MAX_LINES:
        raise refusal.at_place(f"the source has more than {MAX_LINES} lines; make it smaller", path, MAX_LINES)
    for number, line in enumerate(text.split("\n"), start=1):  # the tokenizer's patterns are slow on long lines
        if len(line) > MAX_LINE and _PREFIX_RUN.search(line):
            raise refusal.at_place(f"more than {MAX_PREFIX} prefix operators in a row; remove them", path, number, 1)
        if len(line) > MAX_LINE:
            message = f"this line has {len(line)} characters; at most {MAX_LINE} fit, so split it"
            raise refusal.at_place(message, path, number, MAX_LINE + 1)
    found = _UNPRINTABLE.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - (text.rfind("\n", 0, found.start()) + 1) + 1
        raise refusal.at_place(described(found[0]), path, line, column)
    _check_tokens(text, path)


def _check_tokens(text: str, path: str) -> None:
    total = statement = prefix = 0
    opened: list[tuple[str, tuple[int, int]]] = []
    try:
        for kind, string, start, _, _ in tokenize.generate_tokens(io.StringIO(text).readline):
            total, statement = total + 1, statement + 1
            if kind == tokenize.NEWLINE:
                statement = 0
            elif string in _OPENING:
                opened.append((string, start))
            elif string in _CLOSING:
                if not opened:
                    raise _at_token(f"this '{string}' closes nothing; remove it", path, start)
                opened.pop()
            if kind not in _LAYOUT:
                prefix = prefix + 1 if string in _PREFIX else 0
            if kind == tokenize.NAME and len(string) > MAX_NAME:
                message = f"this name has {len(string)} characters; at most {MAX_NAME} are read, so shorten it"
                raise _at_token(message, path, start)
            if total > MAX_TOKENS:
                raise _at_token(f"the source has more than {MAX_TOKENS} tokens; make it smaller", path, start)
            if statement > MAX_STATEMENT_TOKENS:
                raise _at_token(f"this statement has more than {MAX_STATEMENT_TOKENS} tokens; split it", path, start)
            if len(opened) > MAX_BRACKETS:
                raise _at_token(f"brackets are nested more than {MAX_BRACKETS} deep; name the parts", path, start)
            if prefix > MAX_PREFIX:
                raise _at_token(f"more than {MAX_PREFIX} prefix operators in a row; remove them", path, start)
    except tokenize.TokenError as error:
        if opened:
            bracket, start = opened[-1]
            raise _at_token(f"this '{bracket}' is never closed; write the closing one", path, start) from None
        raise _at_token("this text is never closed; write the closing quotes", path, error.args[1]) from None
    except IndentationError as error:
        message = f"{error.msg}; write it as far to the right as the block it belongs to"
        raise refusal.at_place(message, path, error.lineno or 0, error.offset or 1) from None


def _at_token(message: str, path: str, start: tuple[int, int]) -> SubsetError:
    return refusal.at_place(message, path, start[0], start[1] + 1)
