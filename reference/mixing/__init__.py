"""Context mixing: docs/spec/mixing.md. Integers only; probabilities are P(one) * 65536."""
