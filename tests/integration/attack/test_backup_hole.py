import io
import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from tests.integration.config.test_backups import *  # noqa

def test_incomplete(road, folder):
    road.case()
    sealed = sealed_file()
    storages["default"].delete(sealed.key)
    with pytest.raises(CommandError):
        back_up(folder)
    out = io.StringIO()
    call_command("restore", source=folder, verify_only=True, stdout=out)
    print(out.getvalue())
    assert sealed.key in out.getvalue()
