"""Mutated DICOM files, and what the node makes of them."""
