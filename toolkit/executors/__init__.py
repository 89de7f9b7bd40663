"""Where jobs run: processes on this machine, or what a plugin offers."""
