"""Energy and CO2: emission factors, activities, and the ledger that they fill."""
