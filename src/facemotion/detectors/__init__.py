"""Finding faces: one detector a file, each behind the entry point of its name."""
