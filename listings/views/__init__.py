"""Pages of the catalogue, and of the seller's listings."""
