"""Upload handler that limits the size of proof files."""

from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest

from installations.proofs import MAX_PROOF_BYTES

TOO_LARGE_KEY = "switchyard.files_too_large"


class SizeLimitUploadHandler(FileUploadHandler):
    """Drop a file once it exceeds the size limit. The rest of the form is read as usual."""

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
        if self.received_bytes > MAX_PROOF_BYTES:
            if self.request is not None:
                self.request.META.setdefault(TOO_LARGE_KEY, {})[self.field_name] = self.file_name
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


def too_large_files(request: HttpRequest) -> dict[str, str]:
    """Return the names of the files that were dropped because of their size, by form field."""
    names: dict[str, str] = request.META.get(TOO_LARGE_KEY, {})
    return names
