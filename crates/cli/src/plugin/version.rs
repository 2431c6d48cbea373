//! `version`.

use std::process::ExitCode;

use crate::output::line;

/// Go's word for the machine, which is what people compare with.
const ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") {
    "amd64"
} else if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    std::env::consts::ARCH
};

//= compat: 7.7-6
//= compat-differs: 7.7-6 there is no line GoVersion, since nothing of it is written in Go
pub(super) fn print(short: bool) -> ExitCode {
    line(format!("kubectl-argo-rollouts: v{}+serin", env!("CARGO_PKG_VERSION")));
    if !short {
        line(format!("  BuildDate: {}", option_env!("SERIN_BUILD_DATE").unwrap_or("unknown")));
        line(format!("  GitCommit: {}", option_env!("SERIN_GIT_COMMIT").unwrap_or("unknown")));
        line(format!("  GitTreeState: {}", option_env!("SERIN_GIT_TREE_STATE").unwrap_or("unknown")));
        line("  Compiler: rustc");
        line(format!("  Platform: {}/{ARCHITECTURE}", std::env::consts::OS));
    }
    ExitCode::SUCCESS
}
