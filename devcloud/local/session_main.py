"""A Glue session's Python: `python -m devcloud.local.session_main ORDERS ANSWERS [EXTRA_FILE …]`.

Reads one JSON line for each statement from the descriptor ORDERS, and writes two to ANSWERS: that the statement has
begun, and what came of it. When ORDERS ends, it stops its Spark session and ends, at once if a statement is running.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import linecache
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Event, Thread
from types import ModuleType
from typing import IO, Any

Answer = dict[str, Any]


def execute(code: str, namespace: dict[str, Any], number: int) -> Answer:
    """Run a statement as Glue does: the text of it is what it prints and the value of its last expression."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            _run(code, namespace, filename=f"<statement-{number}>")
    except KeyboardInterrupt:
        return {"State": "CANCELLED", "Output": {"Status": "error", "ExecutionCount": number}}
    except BaseException as error:  # SystemExit, too, ends a statement and not the session
        return {"State": "AVAILABLE", "Output": {"ExecutionCount": number, **_failure(error)}}
    output = {"Status": "ok", "ExecutionCount": number, "Data": {"TextPlain": printed.getvalue().rstrip("\n")}}
    return {"State": "AVAILABLE", "Output": output}


def _run(code: str, namespace: dict[str, Any], *, filename: str) -> None:
    # So that a traceback shows the lines of the statement.
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    tree = ast.parse(code, filename)
    last = tree.body[-1] if tree.body else None
    exec(compile(_without_value(tree), filename, "exec"), namespace)  # noqa: S102 - a session runs what it is sent
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), filename, "eval"), namespace)  # noqa: S307
        if value is not None:
            print(repr(value))


def _without_value(tree: ast.Module) -> ast.Module:
    has_value = bool(tree.body) and isinstance(tree.body[-1], ast.Expr)
    return ast.Module(tree.body[:-1] if has_value else tree.body, tree.type_ignores)


def _failure(error: BaseException) -> Answer:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    lines = [line.rstrip("\n") for line in traceback.format_exception(type(error), error, trace)]
    return {"Status": "error", "ErrorName": type(error).__name__, "ErrorValue": str(error), "Traceback": lines}


def _start_spark() -> Any:
    from devcloud.local.job_main import keep_context

    keep_context()
    from pyspark.sql import SparkSession

    return SparkSession.builder.getOrCreate()


def _namespace(spark: Any) -> dict[str, Any]:
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    namespace = module.__dict__
    namespace |= {"__builtins__": __builtins__, "spark": spark, "sc": spark.sparkContext}
    return namespace


def _received(orders: IO[str], busy: Event) -> Iterator[dict[str, Any]]:
    """Yield each order; end the process when the other side is gone while a statement runs."""
    queue: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in orders:
            queue.put(line)
        if busy.is_set():
            os._exit(1)
        queue.put("")

    Thread(target=read, daemon=True).start()
    while line := queue.get():
        yield json.loads(line)


def main() -> None:
    orders, answers = os.fdopen(int(sys.argv[1])), os.fdopen(int(sys.argv[2]), "w")
    extra, sys.argv = sys.argv[3:], [""]

    def answer(content: Answer) -> None:
        print(json.dumps(content), file=answers, flush=True)

    spark = _start_spark()
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Spark's own handler, which ends its jobs, too
    from devcloud.local.session_imports import close_gate

    close_gate(extra)
    namespace, busy = _namespace(spark), Event()
    answer({"ready": True})
    for order in _received(orders, busy):
        busy.set()
        signal.signal(signal.SIGINT, interrupt)
        answer({"begun": order["number"]})
        try:
            result = execute(order["code"], namespace, order["number"])
        except KeyboardInterrupt:  # at the very end of the statement
            result = {"State": "CANCELLED", "Output": {"Status": "error", "ExecutionCount": order["number"]}}
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        busy.clear()
        answer(result)
    spark.stop()


if __name__ == "__main__":
    main()
