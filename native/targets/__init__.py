"""One header per instruction set, behind native/'s portable SIMD."""
