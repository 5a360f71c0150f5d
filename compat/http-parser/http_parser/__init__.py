"""The part of the ``http_parser`` interface that pymesos uses, in pure Python over h11."""

__all__ = ["__version__"]

__version__ = "1.0"
