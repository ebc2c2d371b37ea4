"""What every service shares: mechanism only. Nothing here knows what the services sell."""
