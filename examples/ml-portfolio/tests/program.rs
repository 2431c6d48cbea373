//! The program `model-service` over real sockets.

#[path = "program/load.rs"]
mod load;
#[path = "program/running.rs"]
mod running;
#[path = "program/service.rs"]
mod service;
