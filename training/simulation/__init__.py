"""Simulated cells with exact truth."""
