"""Replaces single members of moto, and fails at once when a new version of moto no longer has them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from threading import RLock
from typing import Any

Function = Callable[..., Any]


def wrap(owner: Any, name: str, make: Callable[[Function], Function]) -> None:
    """Replace a function or method by what `make` builds from it."""
    setattr(owner, name, make(getattr(owner, name)))


def wrap_classmethod(owner: type, name: str, make: Callable[[Function], Function]) -> None:
    """Replace a class method; `make` gets and returns the plain function with the class as first argument."""
    setattr(owner, name, classmethod(make(inspect.getattr_static(owner, name).__func__)))


def wrap_property(owner: type, name: str, make: Callable[[Function], Function]) -> None:
    """Replace the getter of a property."""
    replaced = inspect.getattr_static(owner, name)
    setattr(owner, name, replaced.getter(make(replaced.fget)))


def serialise(owner: type, *names: str) -> None:
    """Let one call at a time into these methods: moto checks first and writes then, from several threads."""
    lock = RLock()

    def make(original: Function) -> Function:
        @functools.wraps(original)
        def locked(*args: Any, **kwargs: Any) -> Any:
            with lock:
                return original(*args, **kwargs)

        return locked

    for name in names:
        wrap(owner, name, make)
