"""The gate: every stage a proposed controller must pass before it may fly."""
