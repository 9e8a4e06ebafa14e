"""Suites for asv; see NOTES.md for how they measure."""
