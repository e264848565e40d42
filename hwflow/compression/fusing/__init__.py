"""Several networks, or several layers, become one."""
