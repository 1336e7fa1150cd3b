"""`page` executes a chapter from the folder of runs that a test's `results` makes."""

from executing import page  # noqa: F401
