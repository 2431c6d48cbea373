//! The services between a router and the pods: a router knows services by name, a split knows versions by hash.

use serde_json::Value;
use serin_core::Hash;
use serin_core::weight::Split;
use serin_spec::wire::Rollout;
use serin_spec::wire::canary::CanaryStrategy;
use serin_spec::wire::keys::HASH_LABEL;

use crate::object;

/// What is read and rendered with, besides the objects of the routers.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The Rollout as it is stored.
    pub rollout: &'a Rollout,
    /// Hash of the version that its template describes. Where nothing is sent to the canary, a router cannot tell which
    /// version that is; then it is this one.
    pub version: &'a Hash,
    /// The services that the Rollout names, and those of its experiments.
    pub services: &'a [Service],
}

/// What a router must know of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The version whose pods it selects, if it selects a version.
    pub selects: Option<Hash>,
    /// Its port for requests: the one of the name `http`, else the first.
    pub port: Option<u16>,
}

impl Service {
    /// Reads the object.
    pub fn of(service: &Value) -> Self {
        let ports = object::items(&service["spec"], "ports");
        let port = ports.iter().find(|port| port["name"] == "http").or(ports.first());
        Self {
            name: object::name(service).to_owned(),
            selects: service["spec"]["selector"][HASH_LABEL].as_str().map(Hash::new),
            port: port.and_then(|port| u16::try_from(port["port"].as_u64()?).ok()),
        }
    }
}

/// Which service has which role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles<'a> {
    pub stable: &'a str,
    pub canary: &'a str,
}

impl<'a> Context<'a> {
    pub(crate) fn namespace(&self) -> &'a str {
        self.rollout.metadata.namespace()
    }

    pub(crate) fn service(&self, name: &str) -> Option<&'a Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// The version behind a service; an empty hash, which no version has, where it selects none.
    pub(crate) fn selected(&self, name: &str) -> Hash {
        self.service(name).and_then(|service| service.selects.clone()).unwrap_or_else(|| Hash::new(""))
    }

    /// Sum of the weights.
    pub(crate) fn weight_total(&self) -> u32 {
        let most = self.rollout.spec.strategy.canary.as_ref().and_then(|canary| canary.traffic_routing.as_ref());
        let most = most.and_then(|routing| routing.max_traffic_weight);
        most.and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0).unwrap_or(100)
    }

    /// The services in their roles, as the status has them.
    pub(crate) fn roles(&self) -> Roles<'a> {
        let Some(canary) = &self.rollout.spec.strategy.canary else { return Roles { stable: "", canary: "" } };
        let Some(both) = &canary.ping_pong else {
            let name = |name: &'a Option<String>| name.as_deref().unwrap_or_default();
            return Roles { stable: name(&canary.stable_service), canary: name(&canary.canary_service) };
        };
        let status = self.rollout.status.as_ref().and_then(|status| status.canary.as_ref());
        match status.and_then(|status| status.stable_ping_pong.as_deref()) {
            Some("ping") => Roles { stable: &both.ping_service, canary: &both.pong_service },
            _ => Roles { stable: &both.pong_service, canary: &both.ping_service },
        }
    }

    /// The services in the roles that a split gives them. Services that swap have swapped in a decision before the status
    /// that is read says so; then the one that selects the stable version is the stable one.
    pub(crate) fn roles_for(&self, split: &Split) -> Roles<'a> {
        let roles = self.roles();
        let swaps = self.rollout.spec.strategy.canary.as_ref().is_some_and(|canary| canary.ping_pong.is_some());
        let selects = |name: &str| self.selected(name) == split.stable;
        match swaps && !selects(roles.stable) && selects(roles.canary) {
            true => Roles { stable: roles.canary, canary: roles.stable },
            false => roles,
        }
    }

    pub(crate) fn canary(&self) -> Option<&'a CanaryStrategy> {
        self.rollout.spec.strategy.canary.as_ref()
    }
}
