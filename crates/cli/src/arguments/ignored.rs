//! Flags of Argo's controller that mean nothing here: accepted, so that its Deployment's arguments go on working, and told of.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

/// Those that were given.
#[derive(Debug, Default)]
pub(crate) struct Ignored(Vec<(&'static str, &'static str)>);

/// A flag with a value, or a switch; and why it means nothing.
struct Flag {
    name: &'static str,
    switch: bool,
    why: &'static str,
}

const fn flag(name: &'static str, why: &'static str) -> Flag {
    Flag { name, switch: false, why }
}

const fn switch(name: &'static str, why: &'static str) -> Flag {
    Flag { name, switch: true, why }
}

const LIMITS: &str = "the API server's own priority and fairness limit requests";
const THREADS: &str = "one thread looks at everything; --threads says how much at the same time";
const NO_ROUTER: &str = "this traffic router is not there";
const NO_TARGETS: &str = "target groups are not asked";

const FLAGS: [Flag; 24] = [
    flag("kloglevel", "there is one log, see --loglevel"),
    flag("qps", LIMITS),
    flag("burst", LIMITS),
    flag("experiment-threads", THREADS),
    flag("service-threads", THREADS),
    flag("ingress-threads", THREADS),
    flag("ephemeral-metadata-threads", THREADS),
    flag("ephemeral-metadata-update-pod-retries", "a pod that could not be changed is found by the next look"),
    flag("istio-api-version", NO_ROUTER),
    flag("ambassador-api-version", NO_ROUTER),
    flag("traffic-split-api-version", NO_ROUTER),
    flag("traefik-api-group", NO_ROUTER),
    flag("traefik-api-version", NO_ROUTER),
    flag("appmesh-crd-version", NO_ROUTER),
    flag("alb-ingress-classes", NO_ROUTER),
    flag("alb-tag-key-resource-id", NO_ROUTER),
    flag("aws-target-group-binding-api-version", NO_TARGETS),
    switch("aws-verify-target-group", NO_TARGETS),
    switch("alb-verify-weight", NO_TARGETS),
    flag("ingress-api-version", "ingresses have one version that every API server serves"),
    flag("nginx-ingress-classes", "a rollout names its ingress, of whatever class"),
    switch("self-service-notification-enabled", "there are no notifications; use events and metrics"),
    flag("enable-pprof-address", "there is no such profiler in this program"),
    flag("cache-dir", "nothing is kept on disk"),
];

impl Ignored {
    /// Name and reason of each that was given.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.iter().copied()
    }
}

impl Args for Ignored {
    fn augment_args(command: Command) -> Command {
        FLAGS.iter().fold(command, |command, flag| {
            let arg = Arg::new(flag.name).long(flag.name).hide(true).value_name("VALUE").action(ArgAction::Append);
            command.arg(match flag.switch {
                // As Go reads them: `--flag` or `--flag=false`.
                true => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
                false => arg.num_args(1),
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Ignored {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut ignored = Self::default();
        ignored.update_from_arg_matches(matches)?;
        Ok(ignored)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0 = FLAGS.iter().filter(|flag| matches.contains_id(flag.name)).map(|flag| (flag.name, flag.why)).collect();
        Ok(())
    }
}
