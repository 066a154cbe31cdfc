"""The client for Light: the only code that knows its HTTP API. It imports neither Django nor our models."""
