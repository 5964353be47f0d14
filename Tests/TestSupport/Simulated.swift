// Faulty disks and seeds are the simulation's; tests use them as if they were their own.
@_exported import Simulation
