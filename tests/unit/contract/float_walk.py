"""Finds every place in a Python source where a binary floating-point number could come into being."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

TYPES = {
    "float", "Float32", "Float64", "FloatType", "DoubleType", "float16", "float32", "float64", "double", "stddev",
}  # fmt: skip
IN_SQL = re.compile(r"\b(double|float|real)\b", re.IGNORECASE)
MONEY = re.compile(r"cents|amount|money|price|total", re.IGNORECASE)


class FloatWalk(ast.NodeVisitor):
    """Collects `(name of the enclosing definition, line, what)`."""

    def __init__(self) -> None:
        self.found: list[tuple[str, int, str]] = []
        self._inside = ["module"]

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, float | complex):
            self._report(node, f"the literal {node.value}")
        elif isinstance(node.value, str) and IN_SQL.search(node.value):
            self._report(node, f"a type in the text {node.value[:40]!r}")

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in TYPES:
            self._report(node, node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in TYPES:
            self._report(node, node.attr)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div) and MONEY.search(ast.unparse(node.left)):
            self._report(node, f"the division {ast.unparse(node)}")
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        self._enter(node.name, node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._enter(node.name, node)

    def visit_Assign(self, node: ast.Assign) -> None:
        name = node.targets[0]
        if self._inside == ["module"] and isinstance(name, ast.Name):
            self._enter(name.id, node)
        else:
            self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):  # a docstring is prose
            self.generic_visit(node)

    def _enter(self, name: str, node: ast.AST) -> None:
        self._inside.append(name)
        self.generic_visit(node)
        self._inside.pop()

    def _report(self, node: ast.expr, what: str) -> None:
        self.found.append((self._inside[-1], node.lineno, what))


def floats_in(source: str) -> Iterator[tuple[str, int, str]]:
    walk = FloatWalk()
    walk.visit(ast.parse(source))
    return iter(walk.found)
