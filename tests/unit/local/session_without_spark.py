"""A session's own program with nothing in the place of Spark: started by the tests as a session's process."""

import sys
from types import SimpleNamespace

from devcloud.local import session_main

# Python puts this file's folder in front of the path; Glue has no such thing.
del sys.path[0]
session_main._start_spark = lambda: SimpleNamespace(sparkContext="sc", stop=lambda: None)
session_main.main()
