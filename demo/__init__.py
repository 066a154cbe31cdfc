"""`make demo`: takes customers from a sale to active electricity service, using the real processes."""
