"""Records to text and back, in the formats that tracing tools know."""

from __future__ import annotations
