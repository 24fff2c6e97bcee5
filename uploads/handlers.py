"""How far the store listens to an upload that it receives itself."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler


class UpToTheLimit(FileUploadHandler):
    """Drops what follows the first byte above the limit, so that nobody fills the disk. The check that reads the file
    then finds it too large."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        return raw_data[: settings.UPLOAD_MAX_BYTES + 1 - start] or None

    def file_complete(self, file_size: int) -> Any:
        return None
