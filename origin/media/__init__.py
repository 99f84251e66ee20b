"""Bytes of media in, bytes of media out. The sole importer of av; runs in worker processes."""
