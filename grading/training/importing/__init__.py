"""From a hospital's graded archive to a manifest that can be learned from."""
