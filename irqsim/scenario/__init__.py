"""The scenario: what a user writes, read, checked and described."""
