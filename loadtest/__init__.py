"""The rush on a running Railgate, counted in its databases, and simulations beside it."""
