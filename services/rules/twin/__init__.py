"""The digital twin of a park's electricity: what it costs today, what it could cost, and what would be worth building.

Pure: arrays in, arrays out. Power is in kW and positive in the direction its name says, energy in kWh, prices in
yuan, money in whole fen. Every array has one value per step and steps are half-open ``[start, start + step)``.
"""
