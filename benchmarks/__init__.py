"""Speed, each number against a named opponent in the same run."""
