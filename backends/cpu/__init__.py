"""The CPU backend: C with portable SIMD, compiled on first use."""
