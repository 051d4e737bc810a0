"""From an incident to an accepted patch, or to a refusal with its reasons."""
