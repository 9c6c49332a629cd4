"""`python benchmarks/process_cost.py COMMAND …`: runs a command, prints what it cost as JSON.

Kept small on purpose: a child's peak memory counts what its parent held when it was started.
"""

import json
import os
import subprocess
import sys
import time

begin = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
assert process.stdout is not None
output = process.stdout.read()
_, status, usage = os.wait4(process.pid, 0)
wall = time.perf_counter() - begin
process.returncode = os.waitstatus_to_exitcode(status)
cost = {"wall": wall, "processor": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024}
print(json.dumps({**cost, "output": output.strip(), "code": process.returncode}))
