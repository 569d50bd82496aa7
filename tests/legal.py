"""Why a real kernel can print a log into which a fault was put: one rule for each reason."""
