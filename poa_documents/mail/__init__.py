"""Mails to customers: their text, when reminders are due, and what SMTP refusals mean."""
