"""Gradients: from an operator's program to the program, and the spec, of its adjoint.

`derive.gradient` is the derivation, `spec.written` the text. The way there: `prepare`
(no calls, one name for one index), `pivots` (maxima that carry no gradient), `reverse`
with `rules` (from a value's adjoint to its reads'), `transpose` (from reads to elements),
`scatters`, and `products` and `integers`, the normal forms.
"""
