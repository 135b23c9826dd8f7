"""Which disc an axial slice belongs to, by geometry alone."""
