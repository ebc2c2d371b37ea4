locals {
  logs = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  admins = merge(
    { for arn in var.admin_role_arns : arn => arn },
    { for arn in var.hub_role_arn[*] : "argo-cd" => arn },
  )
}

# ---------------------------------------------------------------------------- the control plane

resource "aws_iam_role" "cluster" {
  name                 = "${var.name}-cluster"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { Service = "eks.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
}

# EKS would make it itself, without an end to its days and without our key.
resource "aws_cloudwatch_log_group" "cluster" {
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key_arn
}

resource "aws_eks_cluster" "this" {
  name     = var.name
  role_arn = aws_iam_role.cluster.arn
  version  = var.kubernetes_version

  enabled_cluster_log_types     = local.logs
  bootstrap_self_managed_addons = false

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  vpc_config {
    subnet_ids              = var.control_subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_access_cidrs) > 0
    public_access_cidrs     = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  }

  encryption_config {
    resources = ["secrets"]
    provider {
      key_arn = var.key_arn
    }
  }

  # A version is left before its support ends, instead of being paid for sixfold after.
  upgrade_policy {
    support_type = "STANDARD"
  }

  # AWS may take a sick zone out of the load balancing.
  zonal_shift_config {
    enabled = true
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [aws_cloudwatch_log_group.cluster, aws_iam_role_policy_attachment.cluster]
}

# ---------------------------------------------------------------------------- who may enter

resource "aws_eks_access_entry" "admin" {
  for_each = local.admins

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value
}

resource "aws_eks_access_policy_association" "admin" {
  for_each = local.admins

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_eks_access_entry.admin[each.key].principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }
}

resource "aws_eks_access_entry" "group" {
  for_each = var.groups

  cluster_name      = aws_eks_cluster.this.name
  principal_arn     = each.key
  kubernetes_groups = each.value
}

# ---------------------------------------------------------------------------- add-ons

# metrics-server is not among them: Argo CD has it (gitops/argocd/platform), and two would fight.
locals {
  # A node is ready only when the network plug-in is there, so this comes before the first node.
  before_nodes = {
    vpc-cni = jsonencode({
      enableNetworkPolicy = "true"
      env = {
        ADDITIONAL_ENI_TAGS      = jsonencode({ "railgate:environment" = var.environment })
        ENABLE_PREFIX_DELEGATION = "true"
        WARM_PREFIX_TARGET       = "1"
      }
    })
    kube-proxy             = null
    eks-pod-identity-agent = null
  }
  after_nodes = {
    coredns = jsonencode({
      replicaCount        = 3
      podDisruptionBudget = { enabled = true, maxUnavailable = 1 }
      topologySpreadConstraints = [{
        maxSkew           = 1
        topologyKey       = "topology.kubernetes.io/zone"
        whenUnsatisfiable = "ScheduleAnyway"
        labelSelector     = { matchLabels = { k8s-app = "kube-dns" } }
      }]
    })
    aws-ebs-csi-driver = null
  }
  # The two that speak to AWS, each with a role of its own instead of the node's.
  roles_of_add_ons = {
    vpc-cni = {
      service_account = "aws-node"
      policy          = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
    }
    aws-ebs-csi-driver = {
      service_account = "ebs-csi-controller-sa"
      policy          = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
    }
  }
}

resource "aws_iam_role" "add_on" {
  for_each = local.roles_of_add_ons

  name                 = "${var.name}-${each.key}"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { Service = "pods.eks.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "add_on" {
  for_each = local.roles_of_add_ons

  role       = aws_iam_role.add_on[each.key].name
  policy_arn = each.value.policy
}

resource "aws_eks_addon" "before_nodes" {
  for_each = local.before_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = lookup(var.add_on_versions, each.key, null)
  configuration_values        = each.value
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = { for name, role in local.roles_of_add_ons : name => role if name == each.key }
    content {
      role_arn        = aws_iam_role.add_on[each.key].arn
      service_account = pod_identity_association.value.service_account
    }
  }
}

resource "aws_eks_addon" "after_nodes" {
  for_each = local.after_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = lookup(var.add_on_versions, each.key, null)
  configuration_values        = each.value
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = { for name, role in local.roles_of_add_ons : name => role if name == each.key }
    content {
      role_arn        = aws_iam_role.add_on[each.key].arn
      service_account = pod_identity_association.value.service_account
    }
  }

  depends_on = [aws_eks_node_group.this]
}
