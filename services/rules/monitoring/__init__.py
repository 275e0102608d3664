"""Monitoring: series on a grid with quality flags, baselines, anomalies, forecasts, savings, alarms. Pure and deterministic."""
