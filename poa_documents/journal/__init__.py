"""The journal of evidence: entries that are only ever added, and the check of all chains against their anchors."""
