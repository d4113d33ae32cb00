"""From probability to cells, and what is measured of them."""
