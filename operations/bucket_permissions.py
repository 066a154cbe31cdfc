"""
Checks at start that the S3 credentials may list the bucket.

Before storing a file, we check whether it exists. Without `s3:ListBucket`, S3 returns 403 instead of 404 for a missing
file, so nothing could be stored and the error would not name the cause.
"""

import logging
from threading import Thread
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.storage import storages

logger = logging.getLogger(__name__)

PROBE_KEY = "rights/of-these-credentials"
FORBIDDEN = frozenset({"403", "AccessDenied", "Forbidden"})
MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


def missing_permission() -> str:
    """
    Return a sentence about a missing permission, or an empty string if there is none or files are stored locally.

    Raises boto's exceptions if the storage does not answer.
    """
    storage: Any = storages["default"]
    bucket = getattr(storage, "bucket_name", None)
    if bucket is None:
        return ""
    try:
        storage.connection.meta.client.head_object(Bucket=bucket, Key=PROBE_KEY)
    except ClientError as problem:
        code = problem.response["Error"]["Code"]
        if code in FORBIDDEN:
            return (
                f"The S3 credentials may not list the bucket {bucket}: it returns 403 for a missing file, so nothing "
                "can be stored. Grant s3:ListBucket on the bucket, or correct AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            )
        if code not in MISSING:
            raise
    return ""


def log_missing_permission() -> None:
    """Log a missing permission at start. An unavailable storage is left to readiness."""
    try:
        problem = missing_permission()
    except (BotoCoreError, ClientError):
        logger.warning("The permissions of the storage could not be checked at start.")
    else:
        if problem:
            logger.error(problem)


def log_missing_permission_in_background() -> None:
    """Do the same in the background, so that the start does not wait for the storage."""
    Thread(target=log_missing_permission, name="check-storage-rights", daemon=True).start()
