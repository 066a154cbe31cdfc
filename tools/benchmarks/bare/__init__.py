"""The bare contender for webhooks: a Django project that does nothing but check a signature and insert one row."""
