"""What a request costs, beside an empty one on the same server in the same minutes."""
