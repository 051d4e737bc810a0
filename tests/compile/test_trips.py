"""Loops of exported programs: those that JAX writes for the language pass, those that may not end do not."""

import pytest

from healing_runtime.compile import recheck
from tests.compile.modules import FUNCTION, LOOP, ORDINARY, module, refused

READ = "%two = stablehlo.slice %x [0:1] : (tensor<2xf32>) -> tensor<1xf32>\n"
READ += "%flat = stablehlo.reshape %two : (tensor<1xf32>) -> tensor<f32>\n"
READ += "%read = stablehlo.convert %flat : (tensor<f32>) -> tensor<i32>\n"
ENDLESS = {
    "no step": {"step": 0},
    "away": {"step": -1},
    "the counter as it was": {"next": "%i"},
    "a constant for the counter": {"next": "%one"},
    "downwards": {"direction": "GE"},
    "never equal": {"direction": "NE"},
    "to the largest number": {"last": -1, "kind": ", UNSIGNED"},
    "multiplied": {"add": "multiply"},
    "a bound that is read": {"bound": "%read"},
    "a start that is read": {"start": "%read"},
    "a bound that goes along": {"bound": "%i"},
    "more in the condition": {"more": "%z = stablehlo.abs %i : tensor<i32>"},
}


def test_a_loop_that_counts_to_a_constant_passes():
    recheck.check(module(READ + LOOP.format(**ORDINARY)))
    recheck.check(module(READ + LOOP.format(**ORDINARY | {"first": 20})))
    recheck.check(module(READ + LOOP.format(**ORDINARY | {"kind": ""})))


def test_a_counter_without_a_sign_is_refused():
    refused(module(READ + LOOP.format(**ORDINARY | {"kind": ", UNSIGNED"}).replace("i32", "ui32")), "count up")


@pytest.mark.parametrize("change", ENDLESS.values(), ids=ENDLESS)
def test_a_loop_that_may_not_end_is_refused(change):
    refused(module(READ + LOOP.format(**ORDINARY | change)), "count up to a constant")


def test_a_condition_that_returns_something_else_is_refused():
    text = LOOP.format(**ORDINARY | {"more": "%yes = stablehlo.constant dense<true> : tensor<i1>"})
    refused(module(text.replace("stablehlo.return %t", "stablehlo.return %yes")), "count up to a constant")


@pytest.mark.parametrize(("trips", "passes"), [(10, True), (400, False)])
def test_nested_trips_multiply_through_calls(trips, passes):
    inner = LOOP.format(**ORDINARY | {"last": 300}).replace("%x", "%a").replace("%y", "%b")
    call = "func.call @p(%v) : (tensor<2xf32>) -> tensor<2xf32>\n %u = stablehlo.abs"
    outer = LOOP.format(**ORDINARY | {"last": trips, "inner": call})
    text = module(outer, FUNCTION.format("p", inner))
    if passes:
        recheck.check(text)
    else:
        refused(text, f"{trips * 300} trips")
