"""OpenID Connect: people and programs that an identity provider knows. The provider signs, we verify with its public keys."""
