"""Next.js: what `next build` leaves becomes a bundle that a server of a release runs."""
