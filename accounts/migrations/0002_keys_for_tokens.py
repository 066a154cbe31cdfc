"""
Keep the API tokens of before as hashes for a month, and drop the table that held them in clear.

A person's token becomes a personal key with its own date, so that it still ends with password and second step. The
package that made the table (rest_framework.authtoken) is installed no more: what else it left goes too.
"""

import hashlib
from datetime import UTC, datetime, timedelta

from django.db import migrations
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django.utils.dateparse import parse_datetime

TABLE = "authtoken_token"
GRACE = timedelta(days=30)
PREFIX_LENGTH = 6


def keep_as_hashes(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        if TABLE not in connection.introspection.table_names(cursor):
            return
        cursor.execute("SELECT key, user_id, created FROM authtoken_token ORDER BY user_id")
        tokens = cursor.fetchall()
    now = timezone.now()
    api_key = apps.get_model("accounts", "ApiKey")
    api_key.objects.using(connection.alias).bulk_create(
        api_key(
            person_id=person_id,
            prefix=token[:PREFIX_LENGTH],
            secret_sha256=hashlib.sha256(token.encode()).hexdigest(),
            label="Token from before API keys",
            created_at=_moment(created),
            created_by="system",
            expires_at=now + GRACE,
        )
        for token, person_id, created in tokens
    )
    schema_editor.execute(f"DROP TABLE {TABLE}")
    apps.get_model("contenttypes", "ContentType").objects.using(connection.alias).filter(app_label="authtoken").delete()
    MigrationRecorder(connection).migration_qs.filter(app="authtoken").delete()


def _moment(written):
    """SQLite gives text, without a zone, for what is UTC."""
    found = written if isinstance(written, datetime) else parse_datetime(written)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(keep_as_hashes, migrations.RunPython.noop)]
