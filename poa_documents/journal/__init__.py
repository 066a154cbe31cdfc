"""The append-only evidence journal, and its verification against the anchors."""
