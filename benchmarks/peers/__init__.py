"""The same problems stated for other tools."""
