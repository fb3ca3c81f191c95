"""Frames in and out, who is who across them, and labels that do not flicker."""
