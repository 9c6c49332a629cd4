"""Read JSON written by others; what is returned can also be written again."""

import json
from typing import Any


def json_of(content: bytes, **options: Any) -> Any:
    """Parse JSON; raise ValueError, whatever is wrong with it.

    JSON may escape half of a surrogate pair, which no UTF-8 text, no ledger item and no object key can hold.
    """
    try:
        said = json.loads(content, **options)
        json.dumps(said, ensure_ascii=False, default=str).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return said
