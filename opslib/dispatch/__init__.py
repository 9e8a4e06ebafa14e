"""From a Python call to a kernel: plans, routing, receipts."""
