"""`manage.py prepare_storage`: make the bucket when it is missing, and let it keep every version."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import storages
from django.core.management.base import BaseCommand, CommandError

from operations.storage_permissions import missing_right

MISSING = frozenset({"404", "NoSuchBucket"})


class Command(BaseCommand):
    help = "Make the S3 bucket when it is missing and switch its versioning on. Safe to repeat."

    def handle(self, *_args: object, **_options: Any) -> None:
        bucket = settings.STORAGES["default"]["OPTIONS"].get("bucket_name")
        if bucket is None:
            self.stdout.write("Files are kept in DATA_DIR; there is no bucket to prepare.")
            return
        storage: Any = storages["default"]
        try:
            if lacking := missing_right():
                raise CommandError(lacking)
            made = self._prepare(storage.connection.meta.client, bucket)
        except (BotoCoreError, ClientError) as problem:
            raise CommandError(f"The bucket {bucket} could not be prepared: {problem}") from problem
        self.stdout.write(f"The bucket {bucket} is {'made' if made else 'there'} and keeps every version.")

    def _lock(self) -> dict[str, bool]:
        """A bucket can take locks only if it was made so."""
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
