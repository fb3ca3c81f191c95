"""Faces with labels: read from any usual layout, audited, split, prepared, and fed to a network."""
