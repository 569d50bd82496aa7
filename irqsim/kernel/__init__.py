"""Linux: the interrupt subsystem and what of the kernel around it a trace shows.

Modules are named after the kernel's own files, functions after its functions.
"""
