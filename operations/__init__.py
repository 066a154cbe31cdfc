"""What operators need: health, metrics, logs, backups, orphaned files and the one-process runner."""
