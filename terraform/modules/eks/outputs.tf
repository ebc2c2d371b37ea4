output "name" {
  value = aws_eks_cluster.this.name
}

output "endpoint" {
  value = aws_eks_cluster.this.endpoint
}

output "certificate_authority" {
  description = "In base64, as Argo CD wants it."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "node_profile" {
  description = "Instance profile that Karpenter's nodes start with."
  value       = aws_iam_instance_profile.node.name
}

output "interruption_queue" {
  value = aws_sqs_queue.interruptions.name
}
