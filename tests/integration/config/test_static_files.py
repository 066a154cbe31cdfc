from pathlib import Path

from django.core.management import call_command
from django.test import override_settings

from config.settings import image


def test_image_can_collect_every_static_file(tmp_path: Path) -> None:
    with override_settings(STATIC_ROOT=tmp_path, STORAGES=image.STORAGES):
        call_command("collectstatic", interactive=False, verbosity=0)

    assert (tmp_path / "staticfiles.json").exists()
