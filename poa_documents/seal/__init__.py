"""The seal of a signed document: the key, the PAdES signature in the PDF, and the time stamp."""
