"""Which of several replicas looks after the Node: an election by a Lease, as the controllers of Kubernetes hold it."""
