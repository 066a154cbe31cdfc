"""What happens to an upload before any view sees it."""

from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest

from installations.proofs import LARGEST_BYTES

REFUSED_KEY = "switchyard.files_too_large"


class TooLargeFilesSkipped(FileUploadHandler):
    """Stop keeping a file once it is larger than any proof may be; the rest of the form is read as usual."""

    received_bytes = 0

    def new_file(
        self,
        field_name: str,
        file_name: str,
        content_type: str,
        content_length: int | None,
        charset: str | None = None,
        content_type_extra: dict[str, bytes] | None = None,
    ) -> None:
        super().new_file(field_name, file_name, content_type, content_length, charset, content_type_extra)
        self.received_bytes = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received_bytes += len(raw_data)
        if self.received_bytes > LARGEST_BYTES:
            if self.request is not None:
                self.request.META.setdefault(REFUSED_KEY, {})[self.field_name] = self.file_name
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


def too_large_files(request: HttpRequest) -> dict[str, str]:
    """Give the names of the files that were left out because of their size, by form field."""
    refused: dict[str, str] = request.META.get(REFUSED_KEY, {})
    return refused
