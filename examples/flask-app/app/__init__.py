"""A small web application that tells what kind of file it is given."""

__version__ = "1.0.0"
