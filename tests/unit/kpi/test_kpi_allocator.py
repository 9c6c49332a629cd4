import json
import os
import subprocess
import sys
from pathlib import Path

FUNCTION = Path(__file__).parents[3] / "functions" / "kpi"


def test_allocator_is_set_before_polars_is_loaded() -> None:
    code = "import json, os, sys, app; print(json.dumps([list(sys.modules), os.environ['_RJEM_MALLOC_CONF']]))"
    inherited = {**os.environ, "PYTHONPATH": str(FUNCTION), "_RJEM_MALLOC_CONF": "dirty_decay_ms:500"}

    done = subprocess.run([sys.executable, "-c", code], env=inherited, capture_output=True, text=True, check=True)

    modules, settings = json.loads(done.stdout)
    assert modules.index("reading.allocator") < modules.index("polars")
    assert settings.endswith("dirty_decay_ms:0,muzzy_decay_ms:0")
