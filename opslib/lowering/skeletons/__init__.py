"""The loop structures that lowering recognises, one per file."""
