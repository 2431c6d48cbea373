//! Logs in a folder.
