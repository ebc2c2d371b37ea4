"""The neighbours that the worker looks at: how order bears it, and what is left to sell."""
