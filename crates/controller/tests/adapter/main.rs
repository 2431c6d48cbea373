//! The pure part of the Kubernetes adapter: tables of single functions, and whole rollouts on an API server in memory.

mod affinity;
mod ahead;
mod claims;
mod ephemeral;
mod experiments;
mod hostile;
mod jobs;
mod lookup;
mod patches;
mod replica_sets;
mod restarts;
mod rollouts;
mod server;
mod services;
mod stage;
mod templates;
mod validity;
mod whole;
mod workloads;
