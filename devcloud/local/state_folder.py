"""Where the local cloud of a project keeps its state and its logs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class StateFolder:
    """The folder `.assay` of a project."""

    path: Path

    @property
    def state_file(self) -> Path:
        return self.path / "cloud.json"

    @property
    def lock_file(self) -> Path:
        """Held locked by a living server, so a stale state file is told from a true one."""
        return self.path / "cloud.lock"

    @property
    def server_log(self) -> Path:
        return self.path / "logs" / "server.log"

    @property
    def calls(self) -> Path:
        """The calls to the cloud, one a line, where they are recorded."""
        return self.path / "logs" / "calls.jsonl"

    @property
    def mail(self) -> Path:
        return self.path / "logs" / "mail"

    @property
    def functions(self) -> Path:
        """Unzipped function packages, one folder per function and package."""
        return self.path / "functions"

    @property
    def scratch(self) -> Path:
        return self.path / "spark"

    def lambda_log(self, function: str, *, at: datetime, request_id: str) -> Path:
        return self.path / "logs" / "lambda" / function / f"{instant(at)}-{request_id}.log"

    def glue_log(self, job: str, *, run_id: str) -> Path:
        return self.path / "logs" / "glue" / job / f"{run_id}.log"


def instant(at: datetime) -> str:
    """Return an instant as part of a file name: sortable, and free of colons."""
    return at.strftime("%Y%m%dT%H%M%S.%fZ")
