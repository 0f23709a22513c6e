"""The whole core, simulated vehicles and operators on a virtual clock and a bad network."""
