output "environment" {
  value = var.environment
}

output "region" {
  value = var.region
}

output "account_id" {
  value = var.account_id
}

output "cluster" {
  value = {
    name               = module.eks.name
    endpoint           = module.eks.endpoint
    node_profile       = module.eks.node_profile
    interruption_queue = module.eks.interruption_queue
  }
}

output "networks" {
  description = "What gitops/envs/<environment>/foundation opens, and where our calls come from."
  value       = merge(module.vpc.cidrs, { nat_addresses = module.vpc.nat_addresses })
}

output "certificate_arn" {
  description = "For gitops/envs/<environment>/foundation."
  value       = aws_acm_certificate.this.arn
}

output "certificate_proof" {
  description = "Records that the owner of the domain writes, once."
  value = [
    for proof in aws_acm_certificate.this.domain_validation_options :
    { name = proof.resource_record_name, type = proof.resource_record_type, value = proof.resource_record_value }
  ]
}

output "database" {
  value = {
    host              = module.database.host
    port              = module.database.port
    master_secret_arn = module.database.master_secret_arn
    databases         = module.database.databases
    promises          = module.database.promises
  }
}

output "cache" {
  value = {
    host     = module.cache.host
    port     = module.cache.port
    users    = module.cache.users
    promises = module.cache.promises
  }
}

output "secret_names" {
  value = module.secrets.names
}

# How Argo CD reaches this cluster, as the object that it reads: `make cluster-secret ENV=dev | kubectl
# apply -f -` in the hub. There is no secret in it: Argo CD proves itself by its role. Certificate, networks
# and the nodes' profile are written into gitops by hand, and the gate compares what a plan knows of them.
output "argocd_cluster" {
  value = yamlencode({
    apiVersion = "v1"
    kind       = "Secret"
    metadata = {
      name      = "cluster-${module.eks.name}"
      namespace = "argocd"
      labels    = { "argocd.argoproj.io/secret-type" = "cluster" }
    }
    type = "Opaque"
    stringData = {
      name   = module.eks.name
      server = module.eks.endpoint
      config = jsonencode({
        awsAuthConfig   = { clusterName = module.eks.name }
        tlsClientConfig = { insecure = false, caData = module.eks.certificate_authority }
      })
    }
  })
}
