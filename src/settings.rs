//! Run settings: what `quaygate run` was told, beyond the policies.
