//! `controller`: the flags are Argo's where Argo has one, so that its Deployment's arguments go on working.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use serin_controller::install::EvidenceLog;

use super::ignored::Ignored;

/// `controller`
#[derive(Debug, Args)]
#[command(version)]
pub(crate) struct Controller {
    /// A kubeconfig; without one the service account of the pod, or the usual places
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The user to act as
    #[arg(long = "as", value_name = "USER")]
    pub(crate) impersonate: Option<String>,
    /// Look at one namespace only
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false,
        action = ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    pub(crate) namespaced: bool,
    /// The namespace that `--namespaced` means; that of the context without it
    #[arg(long, short, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Care for objects with this instance label only
    #[arg(long, default_value = "", value_name = "ID")]
    pub(crate) instance_id: String,
    /// Seconds after which everything is looked at though nothing was heard
    #[arg(long, default_value_t = 900, value_name = "SECONDS")]
    pub(crate) rollout_resync: u64,
    /// Rollouts and experiments that are looked at at the same time
    #[arg(long, visible_alias = "rollout-threads", default_value_t = 10, value_name = "N")]
    pub(crate) threads: usize,
    /// Analysis runs that are measured at the same time
    #[arg(long, default_value_t = 30, value_name = "N")]
    pub(crate) analysis_threads: usize,
    /// `analysis` to measure analysis runs and leave rollouts to another controller
    #[arg(long, value_name = "NAME", value_parser = ["analysis"])]
    pub(crate) controllers: Option<String>,
    /// The Prometheus of metrics that name none
    #[arg(long, env = "ARGO_ROLLOUTS_PROMETHEUS_ADDRESS", value_name = "URL")]
    pub(crate) prometheus_address: Option<String>,
    /// Write a log of every update that sequential metrics judge into this folder, for `serin replay` and `serin report`
    #[arg(long, value_name = "DIR")]
    pub(crate) evidence_log: Option<PathBuf>,
    /// Most that these logs may take together, in MiB; the longest untouched ones go
    #[arg(long, default_value_t = u64::from(EvidenceLog::MAX_MIB), value_name = "MIB", value_parser = clap::value_parser!(u64).range(4..=1 << 20))]
    pub(crate) evidence_log_max: u64,
    /// Work only while holding the lease; without the flag in a pod, and not elsewhere
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set,
        value_name = "BOOL")]
    pub(crate) leader_elect: Option<bool>,
    /// How long others let a lease be that nobody renews
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub(crate) leader_election_lease_duration: Duration,
    /// How long a leader may go without a renewal before it ends
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "DURATION")]
    pub(crate) leader_election_renew_deadline: Duration,
    /// How often the lease is renewed
    #[arg(long, default_value = "2s", value_parser = duration, value_name = "DURATION")]
    pub(crate) leader_election_retry_period: Duration,
    /// Address at which probes and metrics are served; without the flag 0.0.0.0 in a pod, and 127.0.0.1 elsewhere
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen_address: Option<IpAddr>,
    /// Port of /healthz and /readyz
    #[arg(long, alias = "healthzPort", default_value_t = 8080, value_name = "PORT")]
    pub(crate) healthz_port: u16,
    /// Port of /metrics
    #[arg(long, aliases = ["metricsPort", "metricsport"], default_value_t = 8090, value_name = "PORT")]
    pub(crate) metrics_port: u16,
    /// What to log: error, warn, info, debug or trace
    #[arg(long, default_value = "info", value_parser = level, value_name = "LEVEL")]
    pub(crate) loglevel: String,
    /// How to log: text or json
    #[arg(long, default_value = "text", value_parser = ["text", "json", ""], hide_possible_values = true,
        value_name = "FORMAT")]
    pub(crate) logformat: String,
    #[command(flatten)]
    pub(crate) ignored: Ignored,
    /// For tests: end at once before or after a write, or panic
    #[arg(long, hide = true, value_name = "before|after:VERB:KIND[:N]|panic:NAMESPACE/NAME")]
    pub(crate) fault: Option<String>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let ms = serin_spec::duration::parse_ms(text).map_err(|error| error.to_string())?;
    u64::try_from(ms).map(Duration::from_millis).map_err(|_| "it is less than nothing".to_owned())
}

/// Argo's levels, with the nearest one here.
fn level(text: &str) -> Result<String, String> {
    let level = match text {
        "panic" | "fatal" | "error" => "error",
        "warn" | "warning" => "warn",
        "info" | "debug" | "trace" => text,
        _ => return Err("use error, warn, info, debug or trace".to_owned()),
    };
    Ok(level.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::Controller;
    use crate::arguments::{Cli, Command};

    fn parsed(flags: &[&str]) -> Result<Controller, clap::Error> {
        let line = ["serin", "controller"].iter().chain(flags);
        match Cli::try_parse_from(line)?.command {
            Command::Controller(controller) => Ok(*controller),
            other => panic!("{other:?}"),
        }
    }

    //= compat: 9.1-1
    #[test]
    fn every_flag_of_argos_deployment_is_understood() {
        let line = "--rollout-resync 900 --namespaced --loglevel info --logformat= --kloglevel 0 --metricsPort 8091 --healthzPort=8081 \
            --instance-id blue --qps 40 --burst=80 --rollout-threads 10 --experiment-threads 10 --analysis-threads 30 \
            --service-threads 10 --ingress-threads 10 --ephemeral-metadata-threads 10 \
            --ephemeral-metadata-update-pod-retries 3 --istio-api-version v1alpha3 --ambassador-api-version getambassador.io/v2 \
            --traffic-split-api-version v1alpha1 --traefik-api-group traefik.io --traefik-api-version traefik.io/v1alpha1 \
            --appmesh-crd-version v1beta2 --ingress-api-version= --alb-ingress-classes alb --alb-ingress-classes other \
            --nginx-ingress-classes nginx --aws-verify-target-group --alb-verify-weight=false \
            --aws-target-group-binding-api-version elbv2.k8s.aws/v1beta1 --alb-tag-key-resource-id ingress.k8s.aws/resource \
            --leader-elect=false --leader-election-lease-duration 1m --leader-election-renew-deadline 40s \
            --leader-election-retry-period 1.5s --self-service-notification-enabled --controllers analysis \
            --enable-pprof-address= --namespace argo-rollouts --context here --as somebody";
        let controller = parsed(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
        assert_eq!((controller.metrics_port, controller.healthz_port), (8091, 8081));
        assert_eq!((controller.leader_elect, controller.namespaced), (Some(false), true));
        assert_eq!(controller.leader_election_retry_period.as_millis(), 1500);
        let ignored: Vec<&str> = controller.ignored.all().map(|(name, _)| name).collect();
        assert_eq!(ignored.len(), 23);
        assert!(ignored.contains(&"alb-verify-weight") && !ignored.contains(&"analysis-threads"));
        assert_eq!(parsed(&["--metricsport", "1"]).unwrap().metrics_port, 1);
    }

    #[test]
    fn defaults_are_argos() {
        let controller = parsed(&[]).unwrap();
        assert_eq!((controller.metrics_port, controller.healthz_port, controller.rollout_resync), (8090, 8080, 900));
        let spans = [
            controller.leader_election_lease_duration,
            controller.leader_election_renew_deadline,
            controller.leader_election_retry_period,
        ];
        assert_eq!(spans.map(|span| span.as_secs()), [15, 10, 2]);
        assert_eq!((controller.threads, controller.analysis_threads), (10, 30));
        assert_eq!((controller.leader_elect, controller.namespaced), (None, false));
        assert_eq!((controller.evidence_log, controller.evidence_log_max), (None, 1024));
        assert_eq!(controller.listen_address, None);
        assert_eq!(controller.ignored.all().count(), 0);
    }

    #[test]
    fn what_is_no_flag_of_argos_is_an_error() {
        let own = ["--evidence-log", "--evidence-log-max=3"];
        let wrong = ["--verify", "--qps", "--loglevel=loud", "--logformat=xml", "--leader-election-retry-period=-2s"];
        for wrong in wrong.into_iter().chain(own) {
            assert!(parsed(&[wrong]).is_err(), "{wrong}");
        }
        assert_eq!(parsed(&["--loglevel", "warning"]).unwrap().loglevel, "warn");
        assert_eq!(parsed(&["--version"]).unwrap_err().kind(), clap::error::ErrorKind::DisplayVersion);
    }
}
