"""The printout's fonts, made by ``scripts/subset_fonts.py``; data only."""
