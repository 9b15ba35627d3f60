"""What the assistant costs, as ratios measured in one run: ``python -m bench`` (about two minutes)."""
