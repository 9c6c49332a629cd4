"""What a state file says when no server lives."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest

from assay.errors import UserError
from devcloud.local import lifecycle

STATE = {"endpoint": "http://localhost:1", "port": 1, "pid": os.getpid(), "state_folder": "/x"}


def _state_folder(project: Path) -> Path:
    folder = project / ".assay"
    folder.mkdir()
    (folder / "cloud.json").write_text(json.dumps(STATE))
    (folder / "cloud.lock").touch()
    return folder


def test_running_is_none__state_file_of_a_killed_server(tmp_path: Path) -> None:
    _state_folder(tmp_path)
    assert lifecycle.running(tmp_path) is None


def test_running_is_the_cloud__its_server_holds_the_lock(tmp_path: Path) -> None:
    with (_state_folder(tmp_path) / "cloud.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert lifecycle.running(tmp_path) == lifecycle.Cloud("http://localhost:1", 1, os.getpid(), Path("/x"))


def test_running_says_how_to_stop_the_cloud__one_of_another_version(tmp_path: Path) -> None:
    folder = _state_folder(tmp_path)
    (folder / "cloud.json").write_text(json.dumps({"endpoint": "http://localhost:1", "port": 1, "pid": 4711}))
    with (folder / "cloud.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another version") as refused:
            lifecycle.running(tmp_path)
    assert "kill 4711" in refused.value.do


def test_stop_clears_the_state_file__of_a_killed_server(tmp_path: Path) -> None:
    folder = _state_folder(tmp_path)
    assert lifecycle.stop(tmp_path) is False
    assert not (folder / "cloud.json").exists()


def test_running_is_none__never_started(tmp_path: Path) -> None:
    assert lifecycle.running(tmp_path) is None
