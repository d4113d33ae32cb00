"""How a result was made: its recipe, its command, its replay."""
