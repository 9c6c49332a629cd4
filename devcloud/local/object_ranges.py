"""Makes moto's S3 read only what is asked for of a large object.

A reader of Parquet asks for many small ranges. moto reads the whole object into memory for each of them and cuts the
range out of that, so each request would cost what the object holds.
"""

from __future__ import annotations

import mmap
import threading
from typing import Any

from moto.s3.models import FakeKey
from moto.s3.responses import S3Response

from devcloud.local.patching import Function, wrap, wrap_property

_asked = threading.local()


def install() -> None:
    # Until moto cuts ranges before it reads. Small objects lie in memory; large ones in a file, which is mapped here:
    # moto takes its slice of the map as it would of the bytes.
    wrap(S3Response, "get_object", _noting_range)
    wrap(S3Response, "_handle_range_header", _returning_bytes)
    wrap_property(FakeKey, "value", _mapped)


def _noting_range(original: Function) -> Function:
    def get_object(response: S3Response) -> Any:
        _asked.for_range = bool(response.headers.get("range"))
        try:
            status, headers, body = original(response)
        finally:
            _asked.for_range = False
        return status, headers, body if status == 200 else _bytes(body)

    return get_object


def _mapped(original: Function) -> Function:
    def value(key: FakeKey) -> Any:
        buffer: Any = key._value_buffer
        if not (getattr(_asked, "for_range", False) and buffer._rolled):
            return original(key)
        with key.lock:
            buffer.flush()
            return mmap.mmap(buffer.fileno(), 0, access=mmap.ACCESS_READ)

    return value


def _returning_bytes(original: Function) -> Function:
    def _handle_range_header(response: S3Response, request: Any, headers: dict[str, Any], content: Any) -> Any:
        status, headers, body = original(response, request, headers, content)
        return status, headers, _bytes(body)

    return _handle_range_header


def _bytes(body: Any) -> Any:
    """Return a body that moto passed on whole: a range that it does not understand is none to S3."""
    return body[:] if isinstance(body, mmap.mmap) else body
