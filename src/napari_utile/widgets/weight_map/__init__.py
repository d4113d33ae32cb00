"""The Weight map dock."""
