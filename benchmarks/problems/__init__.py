"""Problems, stated once for every tool."""
