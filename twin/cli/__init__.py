"""The command `twin`: a thin dispatcher over what the library does."""
