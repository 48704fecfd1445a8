"""The Nomad side: its HTTP API as typed requests, one event stream per namespace, logs; errors as `vnode.errors`."""
