"""The JAX backend: traced functions printed from Expr."""
