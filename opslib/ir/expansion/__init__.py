"""A spec and a binding's statics give a `Program`: templates are expanded away.

Reading order: `frame` (what names mean), `packs` (index packs), `access` (reads),
`extents` (how far an index goes), `values` (expressions), `folds` (along an index),
`calls` (other operators), `program` (definitions, checks, the whole).
"""

from opslib.ir.expansion.program import expand

__all__ = ["expand"]
