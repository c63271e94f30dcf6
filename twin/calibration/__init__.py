"""Parameters from data: what is unknown, residuals and their derivatives, least squares, what the answer is worth."""
