"""Weights: their folder format, the catalogue, the store that finds and verifies them, and their packing."""
