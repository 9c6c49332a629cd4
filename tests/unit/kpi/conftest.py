"""The KPI function's tests import the corpora of files as modules."""

import sys
from pathlib import Path

DATA = Path(__file__).parents[2] / "data"
sys.path[:0] = [str(DATA / "nasty"), str(DATA)]
