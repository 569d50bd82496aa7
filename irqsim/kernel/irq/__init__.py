"""The generic interrupt layer (kernel/irq) and the root controller's driver."""
