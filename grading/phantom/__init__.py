"""Axial T2-weighted lumbar slices by construction, with grades that were measured."""
