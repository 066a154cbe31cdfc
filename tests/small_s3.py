"""An S3 server of one test: buckets, objects and versioning as boto3 asks for them. It checks no signature."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

from tests.loopback import served


class SmallS3:
    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, bytes]] = {}
        self.url = ""
        # Whether the credentials have s3:ListBucket: without it S3 hides missing objects.
        self.may_list = True

    def answer_about(self, objects: dict[str, bytes], key: str) -> tuple[int, bytes]:
        if key in objects:
            return 200, objects[key]
        if not self.may_list:
            return 403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        if key:
            return 404, b"<Error><Code>NoSuchKey</Code><Message>No key</Message></Error>"
        return 200, b"<ListBucketResult/>"


@contextmanager
def small_s3() -> Iterator[SmallS3]:
    store = SmallS3()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
            objects = store.buckets.get(bucket)
            if self.command == "PUT" and not key:
                store.buckets.setdefault(bucket, {})
                self._say(200)
            elif objects is None:
                self._say(404, b"<Error><Code>NoSuchBucket</Code><Message>No bucket</Message></Error>")
            elif self.command == "PUT":
                objects[key] = body
                self._say(200)
            elif self.command == "DELETE":
                objects.pop(key, None)
                self._say(204)
            else:
                self._say(*store.answer_about(objects, key))

        do_HEAD = do_GET = do_PUT = do_DELETE = _answer  # noqa: N815 - the names are the parent's

        def _say(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("ETag", '"one"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_line: object) -> None:
            pass

    with served(Handler) as url:
        store.url = url
        yield store
