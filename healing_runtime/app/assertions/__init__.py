"""What `heal assertions` does, one file a subcommand."""
