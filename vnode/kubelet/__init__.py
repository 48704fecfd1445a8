"""The kubelet's HTTPS API of a virtual Node: who may call, and what each path answers."""
