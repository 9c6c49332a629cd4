"""The KPI function's tests import the corpus of nasty files as a module."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "data" / "nasty"))
