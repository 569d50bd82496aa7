"""The tests: one module for each module of irqsim, and those over the whole."""
