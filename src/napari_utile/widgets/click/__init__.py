"""The Click dock."""
