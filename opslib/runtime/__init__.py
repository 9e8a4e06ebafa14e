"""From generated source to a running kernel on the host.

Read in this order: `toolchain` finds a compiler and runs it, `cache` keeps what it
made, `pool` owns the threads a kernel may use, `launcher` calls kernels from Python in
well under a microsecond. Nothing here knows what an operator is; a backend hands over C
text and addresses. Importing any of these starts no process and touches no disk.
"""
