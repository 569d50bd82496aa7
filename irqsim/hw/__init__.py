"""The hardware: interrupt controller, timers and devices.  It knows no Linux."""
