"""The ways by which an agent talks with its server. All keep the promises of `base.Transport`, and one suite holds them to
it."""
