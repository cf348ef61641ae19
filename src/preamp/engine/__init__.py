"""Accept, dispatch, attempts, cancel, recover: how jobs get to run once, in order, whatever dies."""
