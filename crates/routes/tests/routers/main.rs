//! The routers against objects of a cluster: recorded cases, random ones, and the rules of Argo one by one.

mod examples;
mod gateway;
mod golden;
mod hostile;
mod nginx;
mod property;
mod stage;
mod unsupported;
