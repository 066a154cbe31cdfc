"""The customer's page after signing: where the enrollment stands, what to do next, and the mails about it."""
