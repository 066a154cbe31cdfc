"""A stored file is verified: a file that the storage lost or changed never counts as stored."""

from typing import IO, Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, storages
from pytest_django.fixtures import Settings

from core.stored_files import FileAltered, FileNotStored, read, store

WORDS = b"The customer allows one acceptance."
OTHER_WORDS = b"The customer allows ten acceptances"


class ForgetfulStorage(InMemoryStorage):
    """Claims to have stored a file, and did not."""

    def save(self, name: str | None, _content: IO[Any], _max_length: int | None = None) -> str:
        return str(name)


class CarelessStorage(InMemoryStorage):
    """Stores other bytes than it was given, of the same length."""

    def save(self, name: str | None, _content: IO[Any], _max_length: int | None = None) -> str:
        return super().save(name, ContentFile(OTHER_WORDS))


def use(settings: Settings, storage: type[InMemoryStorage]) -> None:
    backend = f"{storage.__module__}.{storage.__name__}"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": backend}}


@pytest.mark.parametrize("storage", [ForgetfulStorage, CarelessStorage])
def test_file_that_reads_back_differently_is_not_stored(settings: Settings, storage: type[InMemoryStorage]) -> None:
    use(settings, storage)

    with pytest.raises(FileNotStored):
        store(WORDS, folder="poa", suffix=".pdf")


def test_altered_file_of_equal_length_is_not_served(settings: Settings) -> None:
    use(settings, InMemoryStorage)
    file = store(WORDS, folder="poa", suffix=".pdf")
    assert read(file) == WORDS

    storages["default"].delete(file.key)
    storages["default"].save(file.key, ContentFile(OTHER_WORDS))

    assert len(OTHER_WORDS) == file.size_bytes
    with pytest.raises(FileAltered):
        read(file)


def test_missing_file_is_named(settings: Settings) -> None:
    use(settings, InMemoryStorage)
    file = store(WORDS, folder="poa", suffix=".pdf")
    storages["default"].delete(file.key)

    with pytest.raises(FileAltered, match="missing"):
        read(file)
