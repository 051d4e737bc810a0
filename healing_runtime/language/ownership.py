"""Who owns the asserts: what a patch may do to those of the source it replaces. Pure syntax.

Contract asserts are always evaluated from the original source, outside the patched code, with the original PARAMS. A
patch may leave them out (they are carried over); it may not give their label another condition, nor take away state
that they read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from healing_runtime.language import vocabulary
from healing_runtime.language.findings import Finding
from healing_runtime.language.source import Parsed
from healing_runtime.language.syntax.asserts import AssertStatement
from healing_runtime.language.syntax.syntax_tree import syntax_tree

_PASS = "ownership"


def check(original: Parsed, patched: Parsed) -> tuple[Finding, ...]:
    """What a patch does to the asserts of the original.

    Returns:
        Errors: a contract assert reworded, redefined or demoted; a state key that one reads is gone.
        Warnings: contract asserts carried over because the patch does not repeat them, diagnostics dropped or changed.
    """
    return (*_contract(original, patched), *_state_keys(original, patched), *_diagnostics(original, patched))


def state_keys(parsed: Parsed, known: tuple[str, ...]) -> tuple[str, ...]:
    """The top-level keys of the state that contract asserts read, before or after the tick.

    All that are `known` where one takes the state whole, as in `{**state}["x"]`.
    """
    if any(_takes_the_state_whole(owned) for owned in parsed.contract):
        return known
    return tuple(dict.fromkeys(key for owned in parsed.contract for key in _read_keys(owned)))


def edits_only_params(original: Parsed, patched: Parsed) -> bool:
    """True if nothing but numbers in PARAMS differs (comments and spacing are free)."""
    return _shape(original.params) == _shape(patched.params) and _without_params(original) == _without_params(patched)


def remarks(parsed: Parsed) -> tuple[Finding, ...]:
    """A warning for every diagnostic assert: why it protects nothing, and how to write it as a contract."""
    return tuple(_remark(parsed, statement) for statement in parsed.diagnostics)


def _contract(original: Parsed, patched: Parsed) -> Iterator[Finding]:
    present = {a.slug: a for a in (*patched.contract, *patched.diagnostics)}
    for owned in original.contract:
        now = present.get(owned.slug)
        if now is None:
            message = f'the contract assert "{owned.label}" is not repeated in the patch; it is carried over.'
            yield Finding(_PASS, "warning", message)
        elif now.text != owned.text:
            yield Finding(
                _PASS,
                "error",
                f'the assert "{owned.label}" belongs to the contract and reads: {owned.text}; keep it as it is, and'
                " give a new assert a label of its own.",
                now.line,
                now.column,
            )
        elif now.label != owned.label:
            yield Finding(
                _PASS,
                "error",
                f'the label "{owned.label}" belongs to the contract; keep its words.',
                now.line,
                now.column,
            )
        elif now.kind != "contract":
            yield Finding(
                _PASS,
                "error",
                f'the assert "{owned.label}" belongs to the contract; it stands directly in control, not inside a'
                " block or another function.",
                now.line,
                now.column,
            )


def _state_keys(original: Parsed, patched: Parsed) -> Iterator[Finding]:
    made = _written_keys(patched.tree)
    for owned in original.contract:
        for key in _read_keys(owned):
            if key not in made:
                message = f'the contract assert "{owned.label}" reads state["{key}"]; keep that key.'
                yield Finding(_PASS, "error", message)


def _diagnostics(original: Parsed, patched: Parsed) -> Iterator[Finding]:
    present = {a.slug: a for a in (*patched.contract, *patched.diagnostics)}
    for old in original.diagnostics:
        if old.slug not in present:
            yield Finding(_PASS, "warning", f'the diagnostic assert "{old.label}" is dropped.')
        elif present[old.slug].text != old.text:
            now = present[old.slug]
            yield Finding(_PASS, "warning", f'the diagnostic assert "{old.label}" is changed.', now.line, now.column)


def _read_keys(statement: AssertStatement) -> list[str]:
    """The top-level keys of `state` and `next_state` in a condition."""
    return [
        node.slice.value
        for node in ast.walk(syntax_tree(statement.text, "eval"))
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("state", "next_state")
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    ]


def _takes_the_state_whole(statement: AssertStatement) -> bool:
    tree = syntax_tree(statement.text, "eval")
    named = sum(isinstance(node, ast.Name) and node.id in ("state", "next_state") for node in ast.walk(tree))
    return named > len(_read_keys(statement))


def _written_keys(tree: ast.Module) -> frozenset[str]:
    """Every key that functions write in a dictionary or a subscript store (the trace judges exactly)."""
    found: set[str] = set()
    for function in (s for s in tree.body if isinstance(s, ast.FunctionDef)):
        for node in ast.walk(function):
            keys: list[Any] = []
            if isinstance(node, ast.Dict):
                keys = list(node.keys)
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                keys = [node.slice]
            found.update(k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str))
    return frozenset(found)


def _without_params(parsed: Parsed) -> str:
    rest = [s for s in parsed.tree.body if not (isinstance(s, ast.Assign) and ast.unparse(s.targets[0]) == "PARAMS")]
    return ast.dump(ast.Module(rest, []))


def _shape(params: Any) -> Any:
    if isinstance(params, dict):
        return {key: _shape(value) for key, value in params.items()}
    return [_shape(value) for value in params] if isinstance(params, list) else None


def _remark(parsed: Parsed, statement: AssertStatement) -> Finding:
    allowed = vocabulary.CONTRACT_NAMES | vocabulary.ROOTS | vocabulary.BUILTINS
    names = sorted(
        {
            node.id
            for node in ast.walk(syntax_tree(statement.text, "eval"))
            if isinstance(node, ast.Name) and node.id not in allowed
        }
    )
    if names:
        because = f"it uses {', '.join(names)}"
        how = "write it over obs, action, state, next_state and params, with what it needs kept in next_state"
    else:
        because, how = "it does not stand directly in control", "move it there"
    message = f'the assert "{statement.label}" is a diagnostic and protects nothing, because {because}; {how}.'
    return Finding(_PASS, "warning", message, statement.line, statement.column)
