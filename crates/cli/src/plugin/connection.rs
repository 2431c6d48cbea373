//! kubectl's own flags: which cluster, as whom.

use std::path::PathBuf;

use clap::Args;
use serin_cluster::{Options, Overrides};

use crate::error::CliError;

/// kubectl's own flags.
//= compat: 7.1-1
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The namespace
    #[arg(long, short = 'n', global = true)]
    pub(crate) namespace: Option<String>,
    /// A context of the kubeconfig
    #[arg(long, global = true)]
    pub(crate) context: Option<String>,
    /// The kubeconfig
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// A cluster of the kubeconfig
    #[arg(long, global = true, hide_short_help = true)]
    cluster: Option<String>,
    /// A user of the kubeconfig
    #[arg(long, global = true, hide_short_help = true)]
    user: Option<String>,
    /// Address of the API server
    #[arg(long, short = 's', global = true, value_name = "URL", hide_short_help = true)]
    server: Option<String>,
    /// Bearer token
    #[arg(long, global = true, hide_short_help = true)]
    token: Option<String>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER", hide_short_help = true)]
    impersonate: Option<String>,
    /// Group to impersonate; may be given several times
    #[arg(long, global = true, value_name = "GROUP", hide_short_help = true)]
    as_group: Vec<String>,
    /// UID to impersonate
    #[arg(long, global = true, value_name = "UID", hide_short_help = true)]
    as_uid: Option<String>,
    /// Certificate of the authority that signed the server's
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    certificate_authority: Option<PathBuf>,
    /// Client certificate
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    client_certificate: Option<PathBuf>,
    /// Client key
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    client_key: Option<PathBuf>,
    /// Take whatever certificate the server has
    #[arg(long, global = true, hide_short_help = true)]
    insecure_skip_tls_verify: bool,
    /// Name that the server's certificate must have
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    tls_server_name: Option<String>,
    /// Ask for uncompressed answers
    #[arg(long, global = true, hide_short_help = true)]
    disable_compression: bool,
    /// Accepted and not used: nothing is cached
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    cache_dir: Option<PathBuf>,
    /// Longest wait for one answer, such as 30s; 0 waits for ever
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true)]
    request_timeout: Option<String>,
    /// Log level of the client, from 0
    #[arg(
        long = "kloglevel",
        short = 'v',
        global = true,
        value_name = "N",
        default_value_t = 0,
        hide_short_help = true
    )]
    pub(crate) kloglevel: u8,
    /// Log level: error, warning, info or debug
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info", hide_short_help = true)]
    pub(crate) loglevel: String,
}

/// As long as nobody waits for one answer.
const FOREVER: std::time::Duration = std::time::Duration::from_hours(24);

impl Connection {
    /// What the client is told.
    ///
    /// # Errors
    /// When the time-out is no time.
    pub(crate) fn options(&self) -> Result<Options, CliError> {
        Ok(Options {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            impersonate: self.impersonate.clone(),
            timeout: self.request_timeout.as_deref().map(timeout).transpose()?,
            overrides: Overrides {
                cluster: self.cluster.clone(),
                user: self.user.clone(),
                server: self.server.clone(),
                token: self.token.clone(),
                groups: self.as_group.clone(),
                uid: self.as_uid.clone(),
                certificate_authority: self.certificate_authority.clone(),
                client_certificate: self.client_certificate.clone(),
                client_key: self.client_key.clone(),
                insecure: self.insecure_skip_tls_verify,
                tls_server_name: self.tls_server_name.clone(),
                disable_compression: self.disable_compression,
            },
        })
    }
}

fn timeout(text: &str) -> Result<std::time::Duration, CliError> {
    let wrong = || CliError::usage(format!("{text:?} is no request time-out"), "write for example 30s, or 0");
    let ms = match text.parse::<i64>() {
        Ok(seconds) => seconds.saturating_mul(1000),
        Err(_) => serin_spec::duration::parse_ms(text).map_err(|_| wrong())?,
    };
    match u64::try_from(ms).map_err(|_| wrong())? {
        0 => Ok(FOREVER),
        ms => Ok(std::time::Duration::from_millis(ms)),
    }
}
