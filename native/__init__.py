"""C text the generated kernels include: portable SIMD and mathematics with stated ulp."""
