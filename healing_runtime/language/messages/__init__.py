"""Every mistake at the user's line, in the language's own words."""
