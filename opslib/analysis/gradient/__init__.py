"""Gradients: from an operator's program to the program, and the spec, of its adjoint.

`derive.gradient` is the derivation, `spec.written` the text.

The way there: `prepare` (no calls, one name for one index), `pivots` (maxima that carry
no gradient), `reverse` with `rules` (from a value's adjoint to those of its reads),
`transpose` (from reads to elements), `scatters`, `share` (names for what rows have in
common); `products` and `integers` are the normal forms, `scopes` replaces nodes under
binders. `write`, with `patterns` and `layout`, makes the text.
"""
