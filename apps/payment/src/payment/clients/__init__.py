"""The two neighbours of payment: order, and the provider."""
