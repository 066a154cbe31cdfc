"""What a mail to a customer says, when a reminder is due, and what a mail server's refusal means."""
