"""The syntax check: text -> a tree inside the subset. Never imports JAX, never executes the source."""
