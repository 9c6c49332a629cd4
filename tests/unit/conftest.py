"""Unit tests reach no network: whatever opens a socket fails."""

from pathlib import Path

import pytest

FOLDER = str(Path(__file__).parent)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(f"{FOLDER}/"):
            item.add_marker(pytest.mark.disable_socket)
