"""Tasks `spd_arrays` and `series_arrays`: a user's own matrices or series from an archive."""
