"""Threads parse at once: the embedded search does, and so may a program with several runtimes."""

import ast
import gc
import sys
import threading
import time
import warnings

import pytest

from healing_runtime.language.syntax.syntax_tree import syntax_tree

TEXT = "def f(x):\n    return " + " + ".join(f"g(x[{i}], {i})" for i in range(50)) + "\n"


@pytest.fixture
def nervous():
    """An interpreter that changes threads whenever it can, in the middle of building a tree as well."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()

    def give_way(phase: str, info: dict[str, int]) -> None:
        time.sleep(0)

    sys.setswitchinterval(1e-6)
    gc.set_threshold(20)
    gc.callbacks.append(give_way)
    yield
    gc.callbacks.remove(give_way)
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)


def test_threads_that_parse_at_once_do_not_disturb_one_another(nervous):
    expected, found, failed = ast.dump(ast.parse(TEXT)), [], []

    def parse_often() -> None:
        for _ in range(60):
            try:
                found.append(syntax_tree(TEXT))
            except SystemError as error:
                failed.append(error)

    threads = [threading.Thread(target=parse_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert {ast.dump(tree) for tree in found} == {expected}


def test_an_expression_and_what_is_not_python():
    assert isinstance(syntax_tree("a + 1", "eval").body, ast.BinOp)
    with pytest.raises(SyntaxError):
        syntax_tree("a +")


def test_what_python_warns_of_stays_quiet():
    assert syntax_tree("x = 1 is 1\n").body


@pytest.mark.parametrize("text", ["1if 2 else 3", "x = 0x1for", "'\\d'", "1 is 1", "(1)(2)"])
def test_what_python_warns_of_changes_no_verdict_and_is_told_nobody(text, capfd):
    """Filters of the process do not decide: Python makes an error of a warning where they say so."""

    def verdict():
        try:
            return ast.dump(syntax_tree(text))
        except SyntaxError:
            return "refused"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        strict = verdict()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert verdict() == strict
    assert capfd.readouterr() == ("", "")
