"""Checks of what Kubernetes and Argo CD are told, before they are told."""
