"""placeholder"""
VIEWS = {}
