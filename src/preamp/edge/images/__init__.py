"""Image optimisation: the routes of a deploy manifest whose target is `ImageOptimization`."""
