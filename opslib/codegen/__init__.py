"""Printers that the backends share: array style, C style, an interpreter."""
