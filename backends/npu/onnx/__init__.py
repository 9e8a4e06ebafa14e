"""Chips behind ONNX Runtime's execution providers."""
