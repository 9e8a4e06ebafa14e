"""C text that generated kernels include: portable SIMD, mathematics of stated ulp."""
