"""The simulator of CUDA kernels: headers, found through importlib.resources."""
