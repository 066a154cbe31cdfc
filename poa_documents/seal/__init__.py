"""The seal of a signed document: the key, the PAdES signature inside the PDF, and the time stamp of a third party."""
