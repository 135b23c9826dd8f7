"""From tissue to stored pixel values: signal, partial volume, scanner."""
