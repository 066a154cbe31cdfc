"""Deliberate bugs, each against one invariant, applied to a copy of the project: which test catches which."""
