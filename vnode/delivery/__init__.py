"""What Pods name in Kubernetes: brought into the view while somebody names it; tells who is to be looked at again."""
