"""`manage.py prepare_storage`: create the bucket if it does not exist, and enable versioning."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import storages
from django.core.management.base import BaseCommand, CommandError

from operations.bucket_permissions import missing_permission

MISSING = frozenset({"404", "NoSuchBucket"})


class Command(BaseCommand):
    help = "Create the S3 bucket if it does not exist, and enable versioning. Safe to repeat."

    def handle(self, *_args: object, **_options: Any) -> None:
        bucket = settings.STORAGES["default"]["OPTIONS"].get("bucket_name")
        if bucket is None:
            self.stdout.write("Files are stored in DATA_DIR. There is no bucket to prepare.")
            return
        storage: Any = storages["default"]
        try:
            if lacking := missing_permission():
                raise CommandError(lacking)
            made = self._prepare(storage.connection.meta.client, bucket)
        except (BotoCoreError, ClientError) as problem:
            raise CommandError(f"The bucket {bucket} could not be prepared: {problem}") from problem
        self.stdout.write(f"The bucket {bucket} {'was created' if made else 'exists'} and keeps every version.")

    def _lock(self) -> dict[str, bool]:
        """A bucket can lock objects only if it was created with object lock."""
        is_locked = settings.STORAGES["default"]["OPTIONS"].get("lock_days", 0) > 0
        return {"ObjectLockEnabledForBucket": True} if is_locked else {}

    def _prepare(self, client: Any, bucket: str) -> bool:
        try:
            client.head_bucket(Bucket=bucket)
            made = False
        except ClientError as problem:
            if problem.response["Error"]["Code"] not in MISSING:
                raise
            client.create_bucket(Bucket=bucket, **self._lock())
            made = True
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        return made
