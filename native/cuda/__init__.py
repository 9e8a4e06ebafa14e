"""CUDA C++ that generated kernels include; `sim` runs them on the host."""
