"""The program forms: Expr (index algebra), Tiles (moves, tile ops), Loops (nests).

Read in this order: `dtypes`, `expr` (the nodes and `Program`), `monoid` (what a
reduction is), `build` (typed construction), `bind` (arguments against a signature),
`expand` (a spec and a binding give a Program), `printer` (canonical text, the hash),
`verify`, then `tiles` and `loops`.
"""
