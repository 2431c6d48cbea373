//! Tables: manifests and what they see.
