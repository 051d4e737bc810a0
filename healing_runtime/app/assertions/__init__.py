"""What `heal assertions` does: a file a subcommand, and what they share (`case`, `logged`, `reasons`)."""
