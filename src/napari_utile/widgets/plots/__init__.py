"""Plots of the cells' measurements, as a tab beside the dock."""
