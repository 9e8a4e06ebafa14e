"""The conformance suite that every backend, in or out of tree, is held to.

Read in this order: `inputs` makes a case from a spec's signature, `judge` runs it and
holds it to the levels of docs/numerics.md (`levels`), `conformance` does that for an
operator in a dtype, `runner` for a whole backend in killable workers, `report` tells.
`plugin` and `suite` are the pytest side, `upstream` compares the specs themselves with
NumPy, PyTorch, JAX and ONNX, `vectors` writes cases for hosts without Python.
"""
