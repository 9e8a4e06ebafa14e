"""One folder per device family; found by entry point, never imported by name."""
