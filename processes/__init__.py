"""Ready, cited models of steel, cement, chemical, bioreactor and electronics lines."""
