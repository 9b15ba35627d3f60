"""What other pipelines send of their deploys; each a small parser."""
