"""The story of `make demo`: customers on their way from a sale to active electricity, through the real parts."""
