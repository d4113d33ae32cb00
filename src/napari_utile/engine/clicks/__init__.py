"""Clicks to cells, and corrections of them, as pure functions."""
