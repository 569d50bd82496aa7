"""`python -m irqsim`: the command line."""

from __future__ import annotations

from irqsim.cli.main import main

if __name__ == "__main__":
    main()
