"""The conformance suite that every backend, in or out of tree, is held to.

Read in this order: `inputs` makes a case from a spec's signature, `judge` runs it and
holds it to the levels of docs/numerics.md (`levels`) and to other calls (`relations`,
derived through `symmetry` and `algebraic`; `pairs`, a table), `conformance` does that
for an operator in a dtype, `gather` compiles for many beforehand, `runner` does a whole
backend in killable workers, `report` tells. `large` has more than 2^31 elements.
`plugin` and `suite` are the pytest side, `upstream` compares the specs themselves with
NumPy, PyTorch, JAX and ONNX, `vectors` writes cases for hosts without Python.
"""
