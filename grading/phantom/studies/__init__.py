"""Whole phantom studies as DICOM, with their truth beside them."""
