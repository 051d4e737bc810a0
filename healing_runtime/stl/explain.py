"""Formulas in English, for the people who sign them.

A trigger on an edge says "when", one on a level "whenever". Definitions keep their names and are told after "where",
constants stand beside their values. What could be grouped in two ways is in brackets, so that formulas that mean
different things read differently.
"""

from __future__ import annotations

from healing_runtime.stl.formula import Apply, Flag, Formula, Literal, Outside, Predicate, Reference
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.phrases import Clause, Glossary, Moment, atom, duration, reference, window
from healing_runtime.stl.ticks import looks_ahead

_EDGES = ("rise", "fall")


def explain(formula: Formula, *, mission: bool = False) -> str:
    """One English sentence. A `mission` is told as what the flight is for."""
    reader = _Reader()
    text = reader.mission(formula) if mission else reader.outer(formula)
    text += reader.where()
    return text[0].upper() + text[1:] + "."


class _Reader:
    """Says formulas, and gathers the names it used."""

    def __init__(self) -> None:
        self.glossary = Glossary()

    # ------------------------------------------------------------ whole sentences
    def outer(self, formula: Formula) -> str:
        """The outermost layer: judged once, at the first sample."""
        match formula:
            case Apply("always", (body,), None):
                return self.throughout("", body)
            case Apply("and") if looks_ahead(formula):
                return "; and ".join(map(self.outer, self.chain(formula, "and")))
            case Apply("always" | "eventually"):
                return self.bare(formula, "start")
            case Apply("until"):
                return f"from the start, {self.bare(formula, 'start')}"
        return f"at the start, {self.bare(formula, 'start')}"

    def mission(self, formula: Formula) -> str:
        """What the flight is for."""
        match formula:
            case Apply("and"):
                return "; and ".join(map(self.mission, self.chain(formula, "and")))
            case Apply("eventually", (goal,), bounds):
                when = f",{window(bounds, 'eventually', 'future', 'start')}," if bounds else ""
                return f"the flight is to reach{when} a moment at which {self.say(goal, 'then')}"
        return f"the flight is to fulfil this: {self.outer(formula)}"

    def where(self) -> str:
        """What the names stand for; telling one may bring in another."""
        entries: list[str] = []
        while len(entries) < len(self.glossary.meanings):
            name, node = list(self.glossary.meanings.items())[len(entries)]
            entries.append(f"{name} means {self.meaning(node)}")
        entries += [f"{name} is {value}" for name, value in self.glossary.constants.items()]
        return f", where {'; '.join(entries)}" if entries else ""

    def meaning(self, node: object) -> str:
        if isinstance(node, Reference):
            return reference(node, self.glossary, bare=True)
        return self.bare(node, "now")  # pyright: ignore[reportArgumentType]

    # ------------------------------------------------------------ parts
    def say(self, formula: Formula, moment: Moment) -> str:
        """A formula by its name if it has one."""
        clause = self.clause(formula)
        return clause.holds() if clause else self.bare(formula, moment)

    def bare(self, formula: Formula, moment: Moment) -> str:
        """A formula by its parts."""
        match formula:
            case Predicate() | Flag() | Literal():
                return atom(formula, self.glossary).holds()
            case Outside(low, high):
                return f"the tick lies outside {low} to {high}"
            case Apply("not", (inner,)):
                return self.negated(inner, moment)
            case Apply("rise" | "fall", (inner,)):
                return self.edge(formula.operator, inner, moment)
            case Apply("held_for", (inner,), bounds) if bounds:
                clause, time = self.clause(inner), duration(bounds.high)
                return clause.lasts(time) if clause else f"({self.say(inner, 'then')}) has held for {time}"
            case Apply("implies", (trigger, promise)):
                return f"if {self.trigger(trigger, moment)}, then {self.say(promise, moment)}"
            case Apply("and" | "or" as word):
                return f" {word} ".join(self.group(part, moment) for part in self.chain(formula, word))
            case Apply("always" | "historically" as word, (Apply("implies", (trigger, promise)) as body,), bounds) if (
                self.glossary.name(body) is None
            ):
                when = window(bounds, word, OPERATORS[word].kind, moment)
                return f"at all times{when}, {self.conditional(trigger, promise, 'then')}"
        return self.by_template(formula, moment)

    def by_template(self, formula: Apply, moment: Moment) -> str:
        operator = OPERATORS[formula.operator]
        inner = moment if operator.kind == "boolean" else "then"
        said = self.group if operator.arity == 2 else self.say
        words = [said(argument, inner) for argument in formula.arguments]
        when = window(formula.window, operator.name, operator.kind, moment) if operator.window != "none" else ""
        return operator.english.format(*words, window=when)

    def throughout(self, when: str, body: Formula) -> str:
        """An outermost `always` needs no 'at all times' before 'whenever' and 'never'."""
        clause = self.clause(body)
        if clause:
            return f"at all times {clause.holds()}"
        match body:
            case Apply("implies", (Apply("once", (event,), None) as trigger, promise)) if not self.clause(trigger):
                return f"ever since the first moment at which {self.say(event, 'then')}, {self.say(promise, 'now')}"
            case Apply("implies", (trigger, promise)):
                return self.conditional(trigger, promise, "now")
            case Apply("not", (inner,)) if not self.simple(body):
                return f"it never happens that {self.say(inner, 'now')}"
        comma = "" if self.simple(body) or (isinstance(body, Apply) and body.operator in ("and", "or")) else ","
        return f"at all times{comma} {self.bare(body, 'now')}"

    def conditional(self, trigger: Formula, promise: Formula, moment: Moment) -> str:
        word = "when" if _is_edge(trigger) else "whenever"
        return f"{word} {self.trigger(trigger, moment)}, {self.say(promise, moment)}"

    def trigger(self, formula: Formula, moment: Moment) -> str:
        """Brackets only where commas would run into the promise."""
        chain = isinstance(formula, Apply) and formula.operator in ("and", "or")
        return self.say(formula, moment) if chain else self.group(formula, moment)

    def negated(self, inner: Formula, moment: Moment) -> str:
        clause = self.clause(inner)
        if clause:
            return (-clause).holds()
        match inner:
            case Apply("not", (again,)):
                return self.say(again, moment)
            case Apply("rise" | "fall" as edge, (of,)) if self.clause(of):
                return self.edge(edge, of, moment, negated=True)
            case Apply("once" | "eventually" as word, (of,), bounds):
                when = window(bounds, word, OPERATORS[word].kind, moment)
                verb = "has not happened" if word == "once" else "does not happen"
                return f"it {verb}{when} that {self.say(of, 'then')}"
        return OPERATORS["not"].english.format(f"({self.say(inner, moment)})")

    def edge(self, word: str, inner: Formula, moment: Moment, *, negated: bool = False) -> str:
        clause = self.clause(inner) or Clause(f"({self.say(inner, moment)})", "holds")
        return (clause if word == "rise" else -clause).begins(negated=negated)

    # ------------------------------------------------------------ grouping
    def clause(self, formula: Formula) -> Clause | None:
        """What is said with one subject and one verb: names and atoms, also negated."""
        name = self.glossary.name(formula)
        if name is not None:
            return Clause(name, "holds")
        match formula:
            case Predicate() | Flag() | Literal():
                return atom(formula, self.glossary)
            case Apply("not", (inner,)):
                inner = self.clause(inner)
                return -inner if inner else None
        return None

    def simple(self, formula: Formula) -> bool:
        """Whether it needs no brackets beside another."""
        if self.clause(formula):
            return True
        match formula:
            case Apply("rise" | "fall" | "held_for"):
                return True
            case Apply("not", (Apply("not", (inner,)),)):
                return self.simple(inner)
            case Apply("not", (Apply("rise" | "fall", (of,)),)):
                return self.clause(of) is not None
        return False

    def group(self, formula: Formula, moment: Moment) -> str:
        said = self.say(formula, moment)
        return said if self.simple(formula) else f"({said})"

    def chain(self, formula: Formula, word: str) -> list[Formula]:
        """The parts of `a and b and c`; one with a name stays whole."""
        parts: list[Formula] = []
        left = [formula]
        while left:
            part = left.pop()
            if not isinstance(part, Apply) or part.operator != word:
                parts.append(part)
            elif part is formula or self.glossary.name(part) is None:
                left += reversed(part.arguments)
            else:
                parts.append(part)
        return parts


def _is_edge(trigger: Formula) -> bool:
    """An edge, perhaps beside conditions: it holds in single ticks."""
    match trigger:
        case Apply("rise" | "fall"):
            return True
        case Apply("and", (p, q)):
            return _is_edge(p) or _is_edge(q)
        case Apply("or", (p, q)):
            return _is_edge(p) and _is_edge(q)
    return False
