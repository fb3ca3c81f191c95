"""The one place that holds the version; the package's metadata and the changelog gate read it from here."""

__version__ = "0.1.0"
