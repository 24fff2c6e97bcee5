"""Pages of the chat: conversations, single messages, blocks and reports, support tickets."""
