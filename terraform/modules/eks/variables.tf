variable "name" {
  description = "The cluster's name, which gitops/argocd knows too."
  type        = string
}

variable "environment" {
  description = "Whose the nodes are, in the bills and for the roles of the pipeline."
  type        = string
}

variable "region" {
  type = string
}

variable "account_id" {
  type = string
}

variable "kubernetes_version" {
  type = string
}

variable "control_subnet_ids" {
  description = "Where the control plane puts its feet."
  type        = list(string)
}

variable "node_subnet_ids" {
  type = list(string)
}

variable "public_access_cidrs" {
  description = "Who reaches the API server from outside; empty: nobody, it is private."
  type        = list(string)

  validation {
    condition     = !contains(var.public_access_cidrs, "0.0.0.0/0")
    error_message = "The API server is not for everybody."
  }
}

variable "admin_role_arns" {
  description = "People who may do everything in the cluster, by the role that they take."
  type        = set(string)
}

variable "groups" {
  description = "Role -> groups of Kubernetes; what a group may, gitops says."
  type        = map(list(string))
  default     = {}
}

variable "hub_role_arn" {
  description = "The role of Argo CD, which may do everything in each cluster. Null where it is not known yet."
  type        = string
  default     = null
}

variable "node_instance_types" {
  type = list(string)
}

variable "node_count" {
  description = "Nodes that are always there, and how many there may be."
  type        = object({ min = number, max = number })
}

variable "rush" {
  description = "Nodes that stand ready before each opening, hours in Dhaka; null: none."
  type = object({
    nodes  = number
    begins = list(string)
    ends   = list(string)
  })
  default = null
}

variable "add_on_versions" {
  description = "Add-on -> version; what is not named takes the default of this Kubernetes."
  type        = map(string)
  default     = {}
}

variable "key_arn" {
  description = "Seals the Secrets in etcd."
  type        = string
}

variable "log_key_arn" {
  type = string
}

variable "log_retention_days" {
  type = number
}

variable "permissions_boundary_arn" {
  type    = string
  default = null
}
