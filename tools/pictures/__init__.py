"""Takes the pictures of the README: `make pictures`. Real pages, filled by real actions, in a real browser."""
