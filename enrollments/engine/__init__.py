"""Carries out what was decided: leases a case, gathers its facts, calls Light and records what came back."""
