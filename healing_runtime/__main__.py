"""`python -m healing_runtime` is `heal`."""

from __future__ import annotations

from healing_runtime.cli.main import main

if __name__ == "__main__":
    main()
