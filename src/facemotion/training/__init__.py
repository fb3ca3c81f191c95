"""Training networks: stoppable at any moment, the same to the bit when gone on with, on one process or many."""
