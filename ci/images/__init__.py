"""The container images: how they are built, and what is tried on them before they are trusted."""
