"""Jobs: a TOML file that says which records to hold against which model, and where the answer goes."""
