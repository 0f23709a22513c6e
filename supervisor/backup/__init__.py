"""Backup and restore of a hub: its record, its accounts and secrets, its configuration."""
