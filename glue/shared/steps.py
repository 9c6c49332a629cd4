"""The course of a run, logged step by step."""

from __future__ import annotations

import json

from glue.shared.ledger import now_text


def log_step(layer: str, name: str, **facts: object) -> None:
    """Log one step of a run as a line of JSON; never row contents, card or client ids."""
    print(json.dumps({"layer": layer, "step": name, "at": now_text(), **facts}, default=str), flush=True)
