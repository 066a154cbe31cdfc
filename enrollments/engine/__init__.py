"""Carries out decisions: claims a case, gathers its facts, calls Light and records the result."""
