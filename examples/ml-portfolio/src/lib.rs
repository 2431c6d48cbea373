//! Three model services of one portfolio, trained from the data beside this crate: churn, tips and review sentiment.
//!
//! [`service`] names the three, [`version`] their releases, good ones and broken ones. [`data`] reads the rows and keeps some of
//! them back, [`features`] turns a row into numbers, [`learn`] fits them, [`model`] is what a release makes of the three.
//! [`server`] answers requests with a model, [`load`] asks the services through a router.

pub mod data;
pub mod features;
mod http;
pub mod learn;
pub mod load;
mod metrics;
pub mod model;
mod profile;
pub mod row;
pub mod server;
pub mod service;
pub mod version;

pub use model::Model;
pub use service::Service;
pub use version::Version;

/// What can go wrong outside of a single request.
#[derive(Debug, thiserror::Error)]
pub enum PortfolioError {
    /// A file cannot be read.
    #[error("failed to read {path}: {source}")]
    Read {
        /// Which one.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("failed to write {path}: {source}")]
    Write {
        /// Which one.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The rows of a data set are not what its service needs.
    #[error("failed to read the rows of {name}: line {line}: {message}")]
    Data {
        /// File name of the data set.
        name: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A model file does not hold the wanted model.
    #[error("failed to load {path}: {message}")]
    Model {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A model is worse than it must be.
    #[error("failed to reach the floor of {0}")]
    Floor(String),
    /// A service has no such release.
    #[error("failed to find {version} of {service}: it has {}", known(*service))]
    NoRelease {
        /// Which service.
        service: Service,
        /// Which release.
        version: Version,
    },
    /// The port of the service cannot be used.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The system does not give what every program needs: threads, signals, sockets.
    #[error("failed to start: {0}")]
    Start(std::io::Error),
}

fn known(service: Service) -> String {
    Version::of(service).iter().map(|v| v.tag()).collect::<Vec<_>>().join(", ")
}
