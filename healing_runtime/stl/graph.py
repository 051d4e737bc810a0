"""What a monitor steps: the nodes, roots and triggers of a set of formulas, shared where they are equal.

Sub-formulas that are equal are one node, whichever requirement they come from. A node is a `Machine` of its operator; a
requirement is read off `Root`s, most of which are promises (`safety`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from healing_runtime.stl import nodes
from healing_runtime.stl.formula import Apply, Atom, Formula, Outside, atoms
from healing_runtime.stl.operator import Machine, Root, Ticks
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.operators.and_ import connect as both
from healing_runtime.stl.safety import promise, safety
from healing_runtime.stl.ticks import looks_ahead, ticks_of
from healing_runtime.stl.vacuity import Starts


class Node(NamedTuple):
    """A machine, and the nodes whose spans it takes; one without any reads the atoms."""

    machine: Machine
    arguments: tuple[int, ...]


class Trigger(NamedTuple):
    """What must have come true at some of the starts (see `vacuity`), and the atoms it rests on."""

    node: int
    starts: Starts
    rests_on: tuple[int, ...]


class Graph:
    """Grows by one formula after the other; what is equal is there once.

    Attributes:
        atoms, nodes, roots, triggers: in the order in which they were first met; a node comes after its arguments.
    """

    def __init__(self, *, rewrite: bool, ring_up_to: int) -> None:
        """See `program.Program`."""
        self._rewrite, self._ring_up_to = rewrite, ring_up_to
        self.atoms: list[Atom] = []
        self.nodes: list[Node] = []
        self.roots: list[tuple[Root, tuple[int, ...]]] = []
        self.triggers: list[Trigger] = []
        self._seen: dict[Any, int] = {}
        self._requirements = 0

    def requirement(self, formula: Formula) -> nodes.ReadRoot:
        """What reads the verdict of the next requirement off the roots, which are its own."""
        read = self._root(formula)
        self._requirements += 1
        return read

    def rests_on(self, formula: Formula) -> list[int]:
        """The atoms of a formula."""
        return sorted({self._atom(atom) for atom in atoms(formula)})

    def trigger(self, formula: Formula, starts: Starts) -> int:
        """The place of a trigger."""
        trigger = Trigger(self.stream(formula), starts, tuple(self.rests_on(formula)))
        if trigger not in self.triggers:
            self.triggers.append(trigger)
        return self.triggers.index(trigger)

    # ------------------------------------------------ values at every start
    def _atom(self, atom: Atom) -> int:
        key = ("atom", atom)
        if key not in self._seen:
            self._seen[key] = len(self.atoms)
            self.atoms.append(atom)
        return self._seen[key]

    def _add(self, key: Any, make: Callable[[], Node]) -> int:
        if key not in self._seen:
            node = make()
            self._seen[key] = len(self.nodes)
            self.nodes.append(node)
        return self._seen[key]

    def _horizon(self, node: int) -> int:
        return self.nodes[node].machine.horizon

    def stream(self, formula: Formula) -> int:
        """The node that yields a formula's value at every start."""
        if isinstance(formula, Outside):
            return self._add(formula, lambda: Node(nodes.outside(formula), ()))
        if not isinstance(formula, Apply):
            atom = self._atom(formula)
            return self._add(("value", atom), lambda: Node(nodes.read_atom(atom), ()))
        operator = OPERATORS[formula.operator]
        arguments = tuple(self.stream(argument) for argument in formula.arguments)
        ticks = ticks_of(formula)
        horizons = [self._horizon(a) for a in arguments]
        if operator.connect is not None:
            reach = max(horizons)
            machine = Machine(reach, nodes.stateless, nodes.connected(operator.connect))
        else:
            machine = operator.stream(ticks, *horizons, ring_up_to=self._ring_up_to)
            reach = machine.horizon if max(horizons) else 0
        arguments = tuple(self._widened(a, reach) for a in arguments)
        return self._add((formula.operator, ticks, arguments), lambda: Node(machine, arguments))

    def _widened(self, node: int, horizon: int) -> int:
        """The node's spans with decided starts remembered up to a greater age."""
        own = self._horizon(node)
        if own == horizon:
            return node
        return self._add(("widen", node, horizon), lambda: Node(nodes.remember(own, horizon), (node,)))

    # ------------------------------------------------ the value at the first sample
    def _root(self, formula: Formula) -> nodes.ReadRoot:
        if isinstance(formula, Apply):
            operator = OPERATORS[formula.operator]
            if operator.connect is not None and looks_ahead(formula):
                return nodes.connected_roots(operator.connect, [self._root(argument) for argument in formula.arguments])
            if self._rewrite and formula.operator in ("always", "eventually") and looks_ahead(formula.arguments[0]):
                return self._promise(formula)
            if operator.kind == "future":
                return self._start_by_start(formula)
        node = self.stream(formula)
        return self._add_root(("first", node), (node,), nodes.first_sample)

    def _promise(self, formula: Apply) -> nodes.ReadRoot:
        """`always` over the future without an array of pending starts, where that can be; `eventually` is its dual."""
        (body,) = formula.arguments
        dual, ticks = formula.operator == "eventually", ticks_of(formula)
        fold, pending, rest = safety(Apply("not", (body,)) if dual else body, ticks)
        reads = [] if fold is None else [self._add_promise(fold, pending, ticks)]
        reads += [self._start_by_start(Apply("always", (part,), formula.window)) for part in rest]
        read = functools.reduce(lambda one, other: nodes.connected_roots(both, [one, other]), reads)
        return nodes.negated(read) if dual else read

    def _add_promise(self, fold: Formula, pending: Formula | None, ticks: Ticks) -> nodes.ReadRoot:
        arguments = tuple(self.stream(part) for part in (fold, pending) if part is not None)
        return self._add_root(("promise", ticks, arguments), arguments, lambda: promise(ticks))

    def _start_by_start(self, formula: Apply) -> nodes.ReadRoot:
        """The operator's own root, over the pending starts of its arguments."""
        operator = OPERATORS[formula.operator]
        arguments = tuple(self.stream(argument) for argument in formula.arguments)
        reach = max(self._horizon(a) for a in arguments)
        arguments = tuple(self._widened(a, reach) for a in arguments)
        ticks, horizons = ticks_of(formula), [reach] * len(arguments)
        return self._add_root((formula.operator, ticks, arguments), arguments, lambda: operator.root(ticks, *horizons))

    def _add_root(self, key: Any, arguments: tuple[int, ...], make: Callable[[], Root]) -> nodes.ReadRoot:
        key = ("root", self._requirements, key)  # no requirement shares a root: one may restart without the other
        if key not in self._seen:
            self._seen[key] = len(self.roots)
            self.roots.append((make(), arguments))
        at = self._seen[key]
        return lambda readings: readings[at]
