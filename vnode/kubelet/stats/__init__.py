"""What Pods and Node use, measured by Nomad's clients, in the three forms that a kubelet gives it."""
