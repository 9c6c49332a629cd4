"""The notebooks' tests use the pipeline of the Glue jobs' tests; each kernel has a JVM of its own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "integration" / "glue"))
