"""Clients of AWS that the tests of a process share, as the calls of a Lambda process do: each takes long to make."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
import moto  # noqa: F401 - does not hear what a client says that was made before it is loaded

Maker = Callable[..., Any]
client, resource = functools.cache(boto3.client), functools.cache(boto3.resource)


@contextmanager
def clients_made_once(*services: str) -> Iterator[None]:
    """Make clients and resources of these services once per process, for code that registers nothing on them.

    All who share them give the same region and keys.
    """
    with (
        patch.object(boto3, "client", _of_these(services, client, boto3.client)),
        patch.object(boto3, "resource", _of_these(services, resource, boto3.resource)),
    ):
        yield


def _of_these(services: tuple[str, ...], kept: Maker, made: Maker) -> Maker:
    return lambda service, **given: (kept if service in services else made)(service, **given)
