//! Two services that swap roles instead of selectors (section 1.10 of the reference).
//!
//! A router that knows members by their service needs time to learn where a changed selector points. With two fixed services
//! only weights change at a promotion: the service of the canary simply becomes that of the stable version.

use super::Pass;
use crate::rollout::PingPong;
use crate::services;
use crate::status::Side;

/// Names of the services of the stable and of the new version.
//= compat: 1.10-1
pub fn roles(services: &PingPong, stable: Option<Side>) -> (&str, &str) {
    match stable {
        Some(Side::Ping) => (&services.ping, &services.pong),
        Some(Side::Pong) | None => (&services.pong, &services.ping),
    }
}

/// Which service is the stable one after another version became stable.
//= compat: 1.10-2
pub fn flipped(stable: Option<Side>) -> Side {
    match stable {
        Some(Side::Ping) => Side::Pong,
        Some(Side::Pong) | None => Side::Ping,
    }
}

/// Points the service in the role of the canary at the new version, and keeps that of the stable version where it is.
//= compat: 1.10-3
//= compat-differs: 1.10-3 a service that still gets requests is not pointed at a version without an available member
pub fn services(pass: &mut Pass, pair: &PingPong) {
    let (stable_service, canary_service) = roles(pair, pass.status.stable_ping_pong);
    if let Some(stable) = pass.status.stable.clone() {
        services::point(pass, stable_service, stable);
        if pass.fully_promoted() {
            return;
        }
    }
    let Some(new) = pass.world.new_pool() else {
        return;
    };
    let carried = pass.world.split.as_ref().map_or(0, |split| split.weight);
    if carried == 0 || new.available > 0 {
        services::point(pass, canary_service, new.hash.clone());
    }
}
