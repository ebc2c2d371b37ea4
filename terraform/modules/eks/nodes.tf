# A group of nodes that is always there, for the controllers and the floor of the autoscalers; what goes
# beyond, Karpenter adds (gitops/nodes). Auto Mode would do both, for an eighth more, but brings its own
# network plug-in and load balancer class, and gitops stands on the network policies of the one and on
# the class of the other. The openings are known to the minute, and nothing that only reacts is ready in
# the first one: before them, the group is made larger by the clock.

resource "aws_iam_role" "node" {
  name                 = "${var.name}-node"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

# Without the policy of the network plug-in, which has a role of its own. A shell comes by SSM: no key, no
# open port.
resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset([
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEKSWorkerNodePolicy",
    "AmazonSSMManagedInstanceCore",
  ])

  role       = aws_iam_role.node.name
  policy_arn = "arn:aws:iam::aws:policy/${each.value}"
}

# Karpenter's nodes take the same role by this, so it need not make profiles and may not.
resource "aws_iam_instance_profile" "node" {
  name = aws_iam_role.node.name
  role = aws_iam_role.node.name
}

resource "aws_launch_template" "node" {
  name                   = "${var.name}-node"
  update_default_version = true

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_type           = "gp3"
      volume_size           = 40
      encrypted             = true
      delete_on_termination = true
    }
  }

  # Two hops: the load balancer's controller asks for its network from within a pod. The services cannot,
  # because nothing leaves their namespace that no policy names.
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }

  # What the group starts is made by AWS, so the provider's tags do not reach it.
  dynamic "tag_specifications" {
    for_each = ["instance", "network-interface", "volume"]
    content {
      resource_type = tag_specifications.value
      tags          = { Name = "${var.name}-node", "railgate:environment" = var.environment }
    }
  }
}

resource "aws_eks_node_group" "this" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = "floor"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = var.node_subnet_ids
  version         = var.kubernetes_version
  ami_type        = "AL2023_x86_64_STANDARD"
  capacity_type   = "ON_DEMAND"
  instance_types  = var.node_instance_types

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }

  scaling_config {
    desired_size = var.node_count.min
    min_size     = var.node_count.min
    max_size     = var.node_count.max
  }

  update_config {
    max_unavailable = 1
  }

  node_repair_config {
    enabled = true
  }

  lifecycle {
    # The clock sets it.
    ignore_changes = [scaling_config[0].desired_size]
  }

  depends_on = [aws_eks_addon.before_nodes, aws_iam_role_policy_attachment.node]
}

resource "aws_autoscaling_group_tag" "node" {
  autoscaling_group_name = aws_eks_node_group.this.resources[0].autoscaling_groups[0].name

  tag {
    key                 = "railgate:environment"
    value               = var.environment
    propagate_at_launch = false
  }
}

locals {
  by_the_clock = var.rush == null ? {} : merge(
    { for at in var.rush.begins : "rush-${replace(at, ":", "")}" => { at = at, nodes = var.rush.nodes } },
    { for at in var.rush.ends : "calm-${replace(at, ":", "")}" => { at = at, nodes = var.node_count.min } },
  )
}

resource "aws_autoscaling_schedule" "this" {
  for_each = local.by_the_clock

  scheduled_action_name  = each.key
  autoscaling_group_name = aws_eks_node_group.this.resources[0].autoscaling_groups[0].name
  recurrence             = format("%d %d * * *", tonumber(split(":", each.value.at)[1]), tonumber(split(":", each.value.at)[0]))
  time_zone              = "Asia/Dhaka"
  desired_capacity       = each.value.nodes
  # Minus one: as the node group says.
  min_size = -1
  max_size = -1
}
