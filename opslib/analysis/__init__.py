"""What a program tells without running: gradient, error bound, cost."""
