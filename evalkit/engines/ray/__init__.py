"""Several copies of a model behind one engine: replicas that are Ray actors, on this machine or on a cluster."""
