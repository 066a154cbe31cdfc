"""The bare comparison for webhooks: a Django project that only checks a signature and inserts one row."""
