"""Names for values in the text of a launch, and index variables that stand for them."""

from __future__ import annotations

from opslib.codegen.c_expressions import Entry
from opslib.ir.expr import Index

from .launches import LaunchPrinter


class Naming:
    """Prints declarations in the launch of a printer, `p`.

    The variable of a name is ``#name``, so that two of one base are two.
    """

    def __init__(self, printer: LaunchPrinter) -> None:
        self.p = printer

    def bound(self, base: str, text: str, ctype: str = "int64_t") -> str:
        """A name for a value."""
        name = self.p.names.fresh(base)
        space = "" if ctype.endswith("*") else " "
        self.p.line(f"const {ctype}{space}{name} = {text};")
        return name

    def index(self, base: str, text: str) -> Index:
        """An index variable with a value that is not negative."""
        return self.given(self.bound(base, text))

    def given(self, name: str) -> Index:
        """An index variable for a name of the text, whose value is not negative."""
        node = Index(f"#{name}")
        self.p.scopes[-1][("index", node.name)] = Entry(name, "int64_t")
        self.p.nonnegative.add(node.name)
        return node
