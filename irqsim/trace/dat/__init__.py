"""trace.dat, the binary file of trace-cmd, as records."""

from __future__ import annotations
