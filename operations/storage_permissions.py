"""
Whether the S3 credentials may list the bucket, asked at start.

Before a file is stored, the storage is asked whether it is there. Without `s3:ListBucket`, S3 answers 403 instead of
404 about a file that is not, and nothing would ever be stored, without a word that names the cause.
"""

import logging
from threading import Thread
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.storage import storages

logger = logging.getLogger(__name__)

NO_FILE = "rights/of-these-credentials"
FORBIDDEN = frozenset({"403", "AccessDenied", "Forbidden"})
MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


def missing_right() -> str:
    """
    Say in a sentence which right the credentials lack; empty when they can store, or when files lie on this machine.

    Raises what boto says when the storage does not answer.
    """
    storage: Any = storages["default"]
    bucket = getattr(storage, "bucket_name", None)
    if bucket is None:
        return ""
    try:
        storage.connection.meta.client.head_object(Bucket=bucket, Key=NO_FILE)
    except ClientError as problem:
        code = problem.response["Error"]["Code"]
        if code in FORBIDDEN:
            return (
                f"The S3 credentials may not list the bucket {bucket}: it answers 403 about a file that is not there, "
                "so nothing can be stored. Grant them s3:ListBucket on the bucket, or correct AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            )
        if code not in MISSING:
            raise
    return ""


def report_missing_right() -> None:
    """Log at start what would keep every file from being stored. A storage that is away is readiness's to report."""
    try:
        problem = missing_right()
    except (BotoCoreError, ClientError):
        logger.warning("Whether the storage takes files could not be checked at start.")
    else:
        if problem:
            logger.error(problem)


def report_missing_right_aside() -> None:
    """The same beside the start, which waits for no storage."""
    Thread(target=report_missing_right, name="check-storage-rights", daemon=True).start()
