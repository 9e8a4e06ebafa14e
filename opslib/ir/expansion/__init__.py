"""A spec and a binding's statics give a `Program`: templates are expanded away.

Reading order: `frame` (what names mean), `packs` (index packs), `access` (reads),
`extents` (how far an index goes), `definitions` (left sides), `calls` (operators),
`folds` (along an index), `values` (expressions); then `draft` (the program while it is
written), `signature` (inputs and sizes), `recurrences`, `scatter`, and `program` (the
whole). Imports follow that order: what comes early reaches the evaluator of expressions
through its frame.
"""

from opslib.ir.expansion.program import expand

__all__ = ["expand"]
