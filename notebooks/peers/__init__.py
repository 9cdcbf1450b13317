"""Sedge's simulator beside others from PyPI, in one run on one machine."""
