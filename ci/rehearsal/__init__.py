"""A release tried out under load: side by side on one schema, switched back and forth."""
