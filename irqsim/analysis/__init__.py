"""What can be found out from records, whoever wrote them: a real kernel or a simulated one."""

from __future__ import annotations
