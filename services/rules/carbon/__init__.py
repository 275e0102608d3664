"""A site's greenhouse gases: factors, units, the activity ledger, green certificates, the report, the path to zero.

Pure: decimals in, decimals out. Emissions are in kg of CO2 equivalent until they are shown; nothing is rounded between.
"""
