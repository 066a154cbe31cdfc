"""The customer's page after signing: status, next steps, and the mails about them."""
