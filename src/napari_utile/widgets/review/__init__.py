"""The queue in which the results of a batch are reviewed, as a tab beside the dock."""
