"""Simulate how Linux serves interrupts on an ARM machine, and print the ftrace log of it."""
