//! What a command line says of the connection, over what the kubeconfig says: kubectl's own flags.

use std::path::PathBuf;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::error::Error;

/// Each of these is kubectl's flag of the same name; absent leaves it to the kubeconfig.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// A cluster of the kubeconfig.
    pub cluster: Option<String>,
    /// A user of the kubeconfig.
    pub user: Option<String>,
    /// The URL of the API server.
    pub server: Option<String>,
    /// A bearer token.
    pub token: Option<String>,
    /// Groups to impersonate, with a user.
    pub groups: Vec<String>,
    /// The uid to impersonate, with a user.
    pub uid: Option<String>,
    /// The certificate of the authority that signed the server's.
    pub certificate_authority: Option<PathBuf>,
    /// The client's certificate.
    pub client_certificate: Option<PathBuf>,
    /// The client's key.
    pub client_key: Option<PathBuf>,
    /// Take whatever certificate the server has.
    pub insecure: bool,
    /// The name that the server's certificate must have.
    pub tls_server_name: Option<String>,
    /// Ask for uncompressed answers.
    pub disable_compression: bool,
}

impl Overrides {
    /// The part that chooses among the entries of a kubeconfig.
    pub(crate) fn choose(&self, options: KubeConfigOptions) -> KubeConfigOptions {
        KubeConfigOptions { cluster: self.cluster.clone(), user: self.user.clone(), ..options }
    }

    /// Whether something of the kubeconfig itself is asked for.
    pub(crate) const fn needs_kubeconfig(&self) -> bool {
        self.cluster.is_some() || self.user.is_some()
    }

    /// A server that is named needs no kubeconfig.
    pub(crate) fn without_kubeconfig(&self) -> Option<Result<Config, Error>> {
        let server = self.server.as_ref()?;
        Kubeconfig::read().is_err().then(|| Ok(Config::new(uri(server)?)))
    }

    /// The rest, over what was read.
    ///
    /// # Errors
    /// When the URL is none, or a file cannot be read.
    pub(crate) fn apply(&self, config: &mut Config) -> Result<(), Error> {
        if let Some(server) = &self.server {
            config.cluster_url = uri(server)?;
        }
        let auth = &mut config.auth_info;
        if let Some(token) = &self.token {
            auth.token = Some(token.clone().into());
            auth.token_file = None;
            auth.exec = None;
            auth.auth_provider = None;
        }
        if !self.groups.is_empty() {
            auth.impersonate_groups = Some(self.groups.clone());
        }
        if self.uid.is_some() {
            auth.impersonate_uid.clone_from(&self.uid);
        }
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        if let Some(path) = &self.client_certificate {
            (auth.client_certificate, auth.client_certificate_data) = (Some(text(path)), None);
        }
        if let Some(path) = &self.client_key {
            (auth.client_key, auth.client_key_data) = (Some(text(path)), None);
        }
        if let Some(path) = &self.certificate_authority {
            // Read where it is used, so that a file that is missing is named there.
            (config.root_cert, config.root_cert_file) = (None, Some(path.clone()));
        }
        config.accept_invalid_certs |= self.insecure;
        config.disable_compression |= self.disable_compression;
        if self.tls_server_name.is_some() {
            config.tls_server_name.clone_from(&self.tls_server_name);
        }
        Ok(())
    }
}

/// A server as kubectl takes it: a URL, or only a host and a port.
fn uri(server: &str) -> Result<http::Uri, Error> {
    let whole = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
    whole.parse().map_err(|error| Error::Configure(format!("{server:?} is no URL of a server: {error}")))
}
