"""Self-contained HTML pages with tables and plots."""
