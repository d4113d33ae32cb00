"""The Click page."""
