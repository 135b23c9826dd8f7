"""A power cut, imitated: what a disk that keeps only what was synced would give back.

A FUSE file system writes down all that the node's processes do to their files. The
record is cut at a random point, and what no `fsync` had covered by then is kept, lost
or torn by chance. On what is left, everything acknowledged before the cut must be
there and readable.
"""
