"""Light as seen from here: the only code that knows its HTTP. It imports neither Django nor our records."""
