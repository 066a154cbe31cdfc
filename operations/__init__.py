"""Health, metrics, logs, backups, orphaned files and the one-process runner."""
