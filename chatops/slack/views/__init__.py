"""Views: pure functions from values to messages. One module per message."""
