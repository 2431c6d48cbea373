//! The configuration of Argo's Gateway API plugin, which stands under `trafficRouting.plugins`.

use serde::{Deserialize, Serialize};

use super::meta::LabelSelector;

/// Name of the plugin.
pub const PLUGIN: &str = "argoproj-labs/gatewayAPI";

/// `trafficRouting.plugins."argoproj-labs/gatewayAPI"`. The plugin drops unknown fields; here they are an error, because a
/// misspelt one changes where requests go.
//= compat: 6.11-1
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayApi {
    /// An HTTPRoute.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub http_route: String,
    /// A GRPCRoute.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub grpc_route: String,
    /// A TCPRoute.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tcp_route: String,
    /// A TLSRoute.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tls_route: String,
    /// Several HTTPRoutes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http_routes: Vec<NamedRoute>,
    /// Several GRPCRoutes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grpc_routes: Vec<NamedRoute>,
    /// Several TCPRoutes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tcp_routes: Vec<NamedRoute>,
    /// Several TLSRoutes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tls_routes: Vec<NamedRoute>,
    /// HTTPRoutes by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_route_selector: Option<LabelSelector>,
    /// GRPCRoutes by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc_route_selector: Option<LabelSelector>,
    /// TCPRoutes by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_route_selector: Option<LabelSelector>,
    /// TLSRoutes by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_route_selector: Option<LabelSelector>,
    /// Namespace of the routes; that of the Rollout when absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// No label marks the routes while a canary has a weight.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disable_in_progress_label: bool,
    /// Key of that label; `rollouts.argoproj.io/gatewayapi-canary` when absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub in_progress_label_key: String,
    /// Its value; `in-progress` when absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub in_progress_label_value: String,
}

/// A route by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedRoute {
    /// Its name.
    pub name: String,
    /// Whether steps add their header routes to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub use_header_routes: bool,
}
