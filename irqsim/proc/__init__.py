"""The machine's files: what /proc, /sys and tracefs say of it."""

from __future__ import annotations
