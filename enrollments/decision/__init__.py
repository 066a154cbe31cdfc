"""Decides the next step of an enrollment, and why: facts go in, a step comes out. Pure."""
