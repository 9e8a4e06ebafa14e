"""A CPU twin of the Ascend C programming interface: headers a kernel compiles with."""
