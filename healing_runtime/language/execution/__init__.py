"""What a source runs as: the rewritten tree, and the closed namespaces in which it runs."""
