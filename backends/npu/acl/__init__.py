"""The Ascend Computing Language's runtime, reached by dlopen: read in this order.

errors (return codes as exceptions), library (the functions), device (memory, streams),
compiler (source to binary), program (binary to launches).
"""
