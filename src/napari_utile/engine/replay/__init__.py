"""Make a result again from its recipe, and compare."""
