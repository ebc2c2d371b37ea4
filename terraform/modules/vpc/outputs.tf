output "vpc_id" {
  value = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "A subnet each zone, for nodes and pods."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "private_cidrs" {
  value = [for subnet in aws_subnet.private : subnet.cidr_block]
}

output "closed_subnet_ids" {
  description = "Tier -> subnets without a way out."
  value = {
    for tier in ["database", "cache", "mail", "control"] :
    tier => [for key, subnet in local.closed : aws_subnet.closed[key].id if subnet.tier == tier]
  }
}

output "cidrs" {
  description = "What gitops names in its network policies."
  value = {
    database = local.database
    cache    = local.cache
    mail     = local.mail
  }
}

output "nat_addresses" {
  description = "Where our calls come from: for the provider's list, and for the clusters that we reach."
  value       = [for address in aws_eip.nat : address.public_ip]
}

output "nat_gateway_ids" {
  value = [for gateway in aws_nat_gateway.this : gateway.id]
}
