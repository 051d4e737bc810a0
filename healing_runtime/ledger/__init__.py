"""The ledger: what went wrong, what was tried, what flies; across runs."""
