from django.conf import settings
from django.core.management import call_command
from django.db import migrations


def make_table(_apps, schema_editor):
    """With Redis the table stays empty; without it, every process counts here."""
    call_command("createcachetable", settings.CACHE_TABLE, database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("core", "0003_last_sweep")]
    operations = [migrations.RunPython(make_table, migrations.RunPython.noop)]
