"""A zygote in which the syntax check refuses nothing: what workers parse again is not in the way of a test.

For `test_dropped_stages` alone: the zygote imports this, and its `warm_up` takes the teeth out of the check.
"""

from healing_runtime.language.syntax.names import Names


def warm_up():
    Names.refuse = lambda self, node, message: None
