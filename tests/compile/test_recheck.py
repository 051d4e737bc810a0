"""The re-check of exported programs: what the language needs passes, on every device; what is not known does not."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export as jax_export
from jax.interpreters import mlir

from healing_runtime.compile import recheck
from healing_runtime.core.errors import SubsetError
from healing_runtime.language.harvest import harvest
from healing_runtime.language.passes import Budget, cost
from tests.compile.modules import CALL, FUNCTION, INNER, LOOP, ORDINARY, SINE, carrying, module, refused
from tests.language.test_vocabulary import BOOLEAN, CALLS, INDEX, MATRIX, NAMES, M, X, member

PLATFORMS = ("cpu", "cuda", "tpu")


# ---------------------------------------------------------------- what passes
def example(path: str):
    """A function of the vocabulary, and what to call it with."""
    function, call = member(path), CALLS.get(path)
    x = M if path.rsplit(".", 1)[1] in MATRIX else X
    x = x > 0 if path in BOOLEAN else x
    if call is not None:
        names = call.__code__.co_varnames[1 : call.__code__.co_argcount]
        return (lambda *a: call(function, *a)), [{"x": X, "m": M, "i": INDEX}[name] for name in names]
    for attempt in (lambda y: function(y), lambda y: function(y, y)):
        try:
            jax.eval_shape(attempt, x)
            return attempt, [x]
        except TypeError:
            continue
    raise AssertionError(f"{path} takes neither one array nor two")


@pytest.fixture(scope="module")
def examples():
    return {path: example(path) for path in NAMES}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_everything_that_the_vocabulary_lowers_to_is_known_on_every_device(examples, platform):
    """All in one module: it has the operations that a module for each function has, and takes a tenth of the time."""
    functions, arguments = zip(*examples.values(), strict=True)

    def everything(given):
        return harvest(lambda: [f(*a) for f, a in zip(functions, given, strict=True)])()[0]

    exported = jax_export.export(jax.jit(everything), platforms=[platform])(arguments)
    recheck.rechecked(bytes(exported.serialize()), platform)
    assert "custom_call" not in exported.mlir_module()


def test_no_name_of_another_kind_is_on_the_list():
    for word in ("custom_call", "infeed", "outfeed", "send", "recv", "callback", "token", "rng", "all_", "collective"):
        assert not [name for name in recheck.OPERATIONS if word in name]


# ---------------------------------------------------------------- what does not
CUSTOM = '{call_target_name = "pwn", has_side_effect = true} : (tensor<2xf32>) -> tensor<2xf32>'
SPELLED = {
    "pretty": "%y = stablehlo.custom_call @pwn(%x) : (tensor<2xf32>) -> tensor<2xf32>",
    "generic": f'%y = "stablehlo.custom_call"(%x) {CUSTOM}',
    "escaped": rf'%y = "stable\68lo.custom\5Fcall"(%x) {CUSTOM}',
    "quoted target": r'%y = stablehlo.custom_call @"\00 stablehlo.add"(%x) : (tensor<2xf32>) -> tensor<2xf32>',
    "sharding": "%y = stablehlo.custom_call @Sharding(%x) : (tensor<2xf32>) -> tensor<2xf32>",
}


@pytest.mark.parametrize("body", SPELLED.values(), ids=SPELLED)
def test_a_custom_call_is_refused_however_it_is_spelled(body):
    refused(module(body), "stablehlo.custom_call")


def test_a_custom_call_inside_a_loop_is_found():
    call = "stablehlo.custom_call @pwn(%v) : (tensor<2xf32>) -> tensor<2xf32>\n%u = stablehlo.abs"
    refused(module(LOOP.format(**ORDINARY | {"inner": call})), "stablehlo.custom_call")


@pytest.mark.parametrize("called", [True, False])
def test_a_custom_call_in_a_private_function_is_found(called):
    private = """func.func private @p(%a: tensor<2xf32>) -> tensor<2xf32> {
        %b = stablehlo.custom_call @pwn(%a) : (tensor<2xf32>) -> tensor<2xf32>
        return %b : tensor<2xf32> }"""
    body = "%y = call @p(%x) : (tensor<2xf32>) -> tensor<2xf32>" if called else "%y = stablehlo.abs %x : tensor<2xf32>"
    refused(module(body, private), "stablehlo.custom_call")


TOKEN = "%t = stablehlo.create_token : !stablehlo.token\n"
TRAFFIC = {
    "infeed": TOKEN + '%y, %u = "stablehlo.infeed"(%t) {infeed_config = ""}'
    " : (!stablehlo.token) -> (tensor<2xf32>, !stablehlo.token)",
    "outfeed": TOKEN + '%u = "stablehlo.outfeed"(%x, %t) {outfeed_config = ""}'
    " : (tensor<2xf32>, !stablehlo.token) -> !stablehlo.token\n%y = stablehlo.abs %x : tensor<2xf32>",
    "send": TOKEN + '%u = "stablehlo.send"(%x, %t) {channel_handle = #stablehlo.channel_handle<handle = 1, type = 2>,'
    " is_host_transfer = true} : (tensor<2xf32>, !stablehlo.token) -> !stablehlo.token\n"
    "%y = stablehlo.abs %x : tensor<2xf32>",
    "recv": TOKEN + '%y, %u = "stablehlo.recv"(%t) {channel_handle = #stablehlo.channel_handle<handle = 1, type = 3>,'
    " is_host_transfer = true} : (!stablehlo.token) -> (tensor<2xf32>, !stablehlo.token)",
}


@pytest.mark.parametrize("name", TRAFFIC)
def test_traffic_with_the_host_is_refused(name):
    refused(module(TRAFFIC[name]), "stablehlo.create_token|stablehlo." + name)


@pytest.mark.parametrize("name", TRAFFIC)
def test_traffic_is_refused_by_its_own_name_too(name, monkeypatch):
    """Even if tokens were known."""
    monkeypatch.setattr(recheck, "OPERATIONS", recheck.OPERATIONS | {"stablehlo.create_token"})
    monkeypatch.setattr(recheck, "_check_type", lambda found: None)
    refused(module(TRAFFIC[name]), f"stablehlo.{name} is not")


def test_operations_that_pure_code_does_not_need_are_refused():
    draw = "%s = stablehlo.constant dense<2> : tensor<1xi64>\n%a = stablehlo.constant dense<0.0> : tensor<f32>\n"
    draw += "%y = stablehlo.rng %a, %a, %s, distribution = UNIFORM : (tensor<f32>, tensor<f32>, tensor<1xi64>)"
    refused(module(draw + " -> tensor<2xf32>"), "stablehlo.rng")


def test_recursion_is_refused():
    refused(module(CALL.format("main")), "call themselves")
    both = FUNCTION.format("p", INNER.format("b", "q", "a")) + FUNCTION.format("q", INNER.format("b", "p", "a"))
    refused(module(CALL.format("p"), both), "call themselves")


def test_a_call_of_what_is_not_there_is_refused():
    text = CALL.format("p"), FUNCTION.format("p", "%b = stablehlo.abs %a : tensor<2xf32>")
    recheck.check(module(*text))
    with mlir.make_ir_context():
        found = module(*text).mlir_module(serialized=False)
        found.body.operations[1].attributes["sym_name"] = mlir.ir.StringAttr.get("q")
        renamed = mlir.module_to_bytecode(found)
    refused(carrying(renamed), "cannot be read")
    refused(module(CALL.format("p"), "func.func private @p(tensor<2xf32>) -> tensor<2xf32>"), "does not define")


def test_calls_that_multiply_are_counted_as_the_compiler_writes_them_out():
    """Thirty functions that call the next one twice: small to read, larger than any memory."""
    chain = "".join(
        FUNCTION.format(f"f{i}", INNER.format("c", f"f{i + 1}", "a") + INNER.format("b", f"f{i + 1}", "c"))
        for i in range(30)
    )
    end = FUNCTION.format("f30", "%b = stablehlo.abs %a : tensor<2xf32>")
    refused(module(CALL.format("f0"), chain + end), "more than")


def test_calls_that_are_nested_too_deep_are_refused_soon():
    """A chain as long as it may be, in the order that is worst for whoever looks for its end."""
    count = 10_000
    chain = "".join(FUNCTION.format(f"f{i}", INNER.format("b", f"f{i + 1}", "a")) for i in range(count))
    end = FUNCTION.format(f"f{count}", "%b = stablehlo.abs %a : tensor<2xf32>")
    refused(module(CALL.format("f0"), chain + end), "calls are nested")


def test_a_module_without_a_beginning_is_refused():
    body = "%y = stablehlo.abs %x : tensor<2xf32>"
    with mlir.make_ir_context():
        found = module(body).mlir_module(serialized=False)
        found.body.operations[0].attributes["sym_name"] = mlir.ir.StringAttr.get("begin")
        refused(carrying(mlir.module_to_bytecode(found)), "no function main")


def test_a_module_within_a_module_is_refused():
    body = "%y = stablehlo.abs %x : tensor<2xf32>"
    refused(module(body, "module @inner { }"), "outside a function|cannot be read")


def test_a_huge_module_is_refused_soon(monkeypatch):
    lines = "\n".join(f"%v{i + 1} = stablehlo.abs %v{i} : tensor<2xf32>" for i in range(2_000))
    text = "%v0 = stablehlo.abs %x : tensor<2xf32>\n" + lines + "\n%y = stablehlo.abs %v2000 : tensor<2xf32>"
    recheck.check(module(text))
    monkeypatch.setattr(recheck, "MAX_OPERATIONS", 1_000)
    refused(module(text), "more than 1000 operations")
    with pytest.raises(SubsetError, match="bytes"):
        recheck.rechecked(bytes(recheck.MAX_BYTES + 1))


def test_regions_that_are_nested_too_deep_are_refused():
    body = ""
    for i in range(45):
        body += f"""%k{i} = stablehlo.constant dense<0> : tensor<i32>
            %r{i} = "stablehlo.case"(%k{i}) ({{ """
    body += "stablehlo.return %x : tensor<2xf32>"
    for i in reversed(range(45)):
        body += " }) : (tensor<i32>) -> tensor<2xf32>\n"
        body += f"stablehlo.return %r{i} : tensor<2xf32>" if i else f"%y = stablehlo.abs %r{i} : tensor<2xf32>"
    refused(module(body), "nested")


@pytest.mark.parametrize(
    "attribute",
    ['mhlo.frontend_attributes = {_xla_compute_type = "host"}', 'mhlo.sharding = "{replicated}"', "anything = 1 : i32"],
)
def test_attributes_from_which_xla_reads_more_are_refused(attribute):
    refused(module(f'%y = "stablehlo.abs"(%x) {{{attribute}}} : (tensor<2xf32>) -> tensor<2xf32>'), "attribute")


def test_attributes_of_arguments_are_refused():
    private = """func.func private @p(%a: tensor<2xf32> {mhlo.memory_kind = "pinned_host"}) -> tensor<2xf32> {
        return %a : tensor<2xf32> }"""
    refused(module(CALL.format("p"), private), r"mhlo\.memory_kind")


@pytest.mark.parametrize("name", ["my.thing", "chlo.top_k", "other.acos"])
def test_a_composite_of_another_name_is_refused(name):
    body = f'%y = stablehlo.composite "{name}" %x {{decomposition = @p}} : (tensor<2xf32>) -> tensor<2xf32>'
    refused(module(body, FUNCTION.format("p", "%b = stablehlo.abs %a : tensor<2xf32>")), "composite")


def test_types_of_another_kind_are_refused():
    narrow = "%h = stablehlo.convert %x : (tensor<2xf32>) -> tensor<2xf8E4M3FN>\n"
    refused(module(narrow + "%y = stablehlo.convert %h : (tensor<2xf8E4M3FN>) -> tensor<2xf32>"), "f8E4M3FN")


def test_a_value_larger_than_any_memory_is_refused():
    wide = "%w = stablehlo.broadcast_in_dim %x, dims = [1] : (tensor<2xf32>) -> tensor<9000000x2xf32>\n"
    refused(module(wide + "%y = stablehlo.abs %x : tensor<2xf32>"), "numbers are allowed")


def test_an_unknown_dialect_is_refused():
    with mlir.make_ir_context() as context:
        context.allow_unregistered_dialects = True
        text = """module { func.func public @main(%x: tensor<2xf32>) -> tensor<2xf32> {
            %y = "evil.run"(%x) : (tensor<2xf32>) -> tensor<2xf32>
            return %y : tensor<2xf32> } }"""
        serialized = mlir.module_to_bytecode(mlir.ir.Module.parse(text))
    refused(carrying(serialized), "cannot be read|evil.run")


# ---------------------------------------------------------------- work and memory
def spread(rows, name="w"):
    """Two numbers written many times."""
    kind = f"tensor<{rows}x2xf32>"
    return f"%{name} = stablehlo.broadcast_in_dim %x, dims = [1] : (tensor<2xf32>) -> {kind}\n", kind


def test_a_window_of_any_size_is_bounded():
    body = """%z = stablehlo.constant dense<0.0> : tensor<f32>
        %y = "stablehlo.reduce_window"(%x, %z) <{{window_dimensions = array<i64: {0}>,
            padding = dense<[[{1}, 0]]> : tensor<1x2xi64>}}> ({{
          ^bb0(%a: tensor<f32>, %b: tensor<f32>):
            %s = stablehlo.add %a, %b : tensor<f32>
            stablehlo.return %s : tensor<f32>
        }}) : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>"""
    recheck.check(module(body.format(2, 1)))
    refused(module(body.format(1_000_000_000, 999_999_999)), "a window of 1000000000 numbers")


def test_an_attribute_that_means_nothing_is_no_window():
    recheck.check(module('%y = "stablehlo.abs"(%x) {window_dimensions = 1 : i32} : (tensor<2xf32>) -> tensor<2xf32>'))


def test_the_work_of_a_loop_is_multiplied_out():
    wide, kind = spread(8_000_000, name="q")
    inner = "stablehlo.abs %v : tensor<2xf32>\n" + wide + f"%h = stablehlo.abs %q : {kind}\n%u = stablehlo.abs"
    recheck.check(module(LOOP.format(**ORDINARY | {"last": 10, "inner": inner})))
    refused(module(LOOP.format(**ORDINARY | {"last": 100_000, "inner": inner})), "numbers in one run")


def test_the_work_of_a_call_is_multiplied_out():
    wide, kind = spread(8_000_000)
    private = FUNCTION.format(
        "p", wide.replace("%x", "%a") + f"%h = stablehlo.abs %w : {kind}\n%b = stablehlo.abs %a : tensor<2xf32>"
    )
    inner = (
        "stablehlo.abs %v : tensor<2xf32>\n%e = func.call @p(%v) : (tensor<2xf32>) -> tensor<2xf32>\n%u = stablehlo.abs"
    )
    recheck.check(module(CALL.format("p"), private))
    refused(module(LOOP.format(**ORDINARY | {"last": 1_000, "inner": inner}), private), "numbers in one run")


@pytest.mark.parametrize("size", [1_000, 4_096])
def test_a_product_counts_what_it_contracts(size):
    exported = jax_export.export(jax.jit(jnp.matmul))(*[jax.ShapeDtypeStruct((size, size), jnp.float32)] * 2)
    recheck.check(exported) if size < 4_096 else refused(exported, "numbers in one run")


def test_the_bytes_of_all_values_are_bounded():
    """Each of them is small enough alone."""
    first, kind = spread(8_000_000)
    many = first + "".join(f"%w{i} = stablehlo.abs %w : {kind}\n" for i in range(20))
    refused(module(many + "%y = stablehlo.abs %x : tensor<2xf32>"), "its values hold")


MOVED = {
    "swapped": (lambda i, c: (c[1], c[0]), "numbers in one run"),
    "swapped in a branch": (lambda i, c: jax.lax.cond(i > 3, lambda a, b: (b, a), lambda a, b: (a, b), *c), "one run"),
    "swapped in a function": (lambda i, c: jax.jit(lambda a, b: (b, a), inline=False)(*c), "one run"),
    "written into and swapped": (
        lambda i, c: tuple(jax.lax.dynamic_update_index_in_dim(v, 1.0, i, 0) for v in c[::-1]),
        "one run",
    ),
    "kept": (lambda i, c: c, None),
}


@pytest.mark.parametrize("name", MOVED)
def test_what_a_loop_moves_about_is_work_and_what_it_leaves_in_place_is_none(name):
    step, why = MOVED[name]
    v = jax.ShapeDtypeStruct((500_000,), jnp.float32)
    exported = jax_export.export(jax.jit(lambda a, b: jax.lax.fori_loop(0, 50_000, step, (a, b))))(v, v)
    refused(exported, why) if why else recheck.check(exported)


ALLOWED = {
    "erfc": (jax.scipy.special.erfc, (620_000,)),
    "tan": (jnp.tan, (1_200_000,)),
    "sort": (jnp.sort, (1_000_000,)),
    "cumulative": (jnp.cumsum, (4_400,)),
    "product": (lambda m: m @ m, (210, 210)),
    "scan": (lambda v: jax.lax.scan(lambda c, x: (c * 0.5 + x, c), 0.0, v)[1], (100_000,)),
    "table": (lambda v: jax.lax.fori_loop(0, 90_000, lambda i, c: c + v[i], 0.0), (500,)),
    "wide": (lambda v: jnp.sum(jnp.tanh(v) * v + v), (1_000_000,)),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_the_budget_of_a_tick_allows_is_far_below(name, monkeypatch):
    """Each of these is near one limit of the pass `cost`, and inside all of them."""
    function, shape = ALLOWED[name]
    v = jax.ShapeDtypeStruct(shape, jnp.float32)
    found, budget = cost.estimate(jax.make_jaxpr(function)(v)), Budget()
    assert found.flops <= budget.flops and found.traffic_bytes <= budget.traffic_bytes
    assert found.live_bytes <= budget.live_bytes
    assert max(found.flops / budget.flops, found.traffic_bytes / budget.traffic_bytes) > 0.02
    monkeypatch.setattr(recheck, "MAX_WORK", recheck.MAX_WORK / 4)
    monkeypatch.setattr(recheck, "MAX_VALUE_BYTES", recheck.MAX_VALUE_BYTES / 2)
    monkeypatch.setattr(recheck, "MAX_WINDOW", recheck.MAX_WINDOW / 8)
    recheck.check(jax_export.export(jax.jit(function))(v))


def test_a_composite_counts_for_its_name_and_for_its_decomposition():
    """XLA goes by either; one whose decomposition is cheap is not cheap for it."""
    wide, kind = spread(8_000_000)
    call = f'%h = stablehlo.composite "chlo.tan" %w {{decomposition = @p}} : ({kind}) -> {kind}\n'
    private = f"func.func private @p(%a: {kind}) -> {kind} {{ %b = stablehlo.abs %a : {kind} return %b : {kind} }}"
    body = wide + call + "%y = stablehlo.abs %x : tensor<2xf32>"
    recheck.check(module(body, private))
    twice = wide + call + call.replace("%h", "%g") + "%y = stablehlo.abs %x : tensor<2xf32>"
    refused(module(twice, private), "numbers in one run")


# ---------------------------------------------------------------- the program around the module
def test_a_program_for_another_device_is_refused():
    recheck.rechecked(bytes(SINE.serialize()), "cpu")
    with pytest.raises(SubsetError, match="exported for cpu and is to run on cuda"):
        recheck.rechecked(bytes(SINE.serialize()), "cuda")


def test_a_program_with_checks_turned_off_is_refused():
    off = jax_export.DisabledSafetyCheck.custom_call("pwn")
    changed = dataclasses.replace(SINE, disabled_safety_checks=(off,))
    with pytest.raises(SubsetError, match="checks turned off"):
        recheck.rechecked(bytes(changed.serialize()))


SAID = {
    "fewer arguments": lambda p: {"module_kept_var_idx": ()},
    "an argument twice": lambda p: {"module_kept_var_idx": (0, 0)},
    "an argument that is not there": lambda p: {"module_kept_var_idx": (1,)},
    "another shape": lambda p: {"in_avals": (jax.core.ShapedArray((3,), np.dtype(np.float32)),)},
    "another dtype": lambda p: {"out_avals": (jax.core.ShapedArray((2,), np.dtype(np.int32)),)},
    "a dtype that is none of ours": lambda p: {"out_avals": (jax.core.ShapedArray((2,), np.dtype(np.int8)),)},
    "another module": lambda p: {"mlir_module_serialized": TWO.mlir_module_serialized},
}
TWO = jax_export.export(jax.jit(jnp.add))(*2 * (np.zeros(2, np.float32),))


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_a_program_that_says_one_thing_of_itself_and_holds_another_is_refused(said):
    recheck.rechecked(bytes(SINE.serialize()))
    changed = dataclasses.replace(SINE, **said(SINE))
    with pytest.raises(SubsetError, match="does not take and give what is said of it"):
        recheck.rechecked(bytes(changed.serialize()))


def test_what_is_no_program_is_refused():
    whole = bytes(SINE.serialize())
    for data in (b"", b"{}", bytes(200), whole[:-30], whole[: len(whole) // 2]):
        with pytest.raises(SubsetError, match="refused"):
            recheck.rechecked(data)


def test_lapack_is_refused():
    cholesky = jax_export.export(jax.jit(jnp.linalg.cholesky))(np.eye(3, dtype=np.float32))
    with pytest.raises(SubsetError, match=r"stablehlo\.custom_call"):
        recheck.rechecked(bytes(cholesky.serialize()))
