"""The neighbours that order calls, each by the few questions it asks them."""
