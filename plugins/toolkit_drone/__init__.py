"""Task `drone_radar`: simulated or recorded micro-Doppler returns as SPD matrices."""
