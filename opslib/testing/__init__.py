"""The conformance suite that every backend, in or out of tree, is held to."""
