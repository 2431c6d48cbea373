//! Icons, and what colour a word has.

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Paint {
    /// No escape sequences.
    #[default]
    Plain,
    /// For a terminal.
    Colour,
}

/// What something is like, as an icon before its status.
//= compat: 7.2-6
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// Has not begun.
    Waiting,
    /// Is on its way.
    Progressing,
    /// Needs a look.
    Warning,
    /// Cannot be told.
    Unknown,
    /// Well.
    Ok,
    /// Not well.
    Bad,
    /// Waits for somebody.
    Paused,
    /// Nothing to say.
    Neutral,
    /// A status that nobody knows.
    None,
}

impl Icon {
    /// The sign.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Waiting => "◷",
            Self::Progressing => "◌",
            Self::Warning => "⚠",
            Self::Unknown => "?",
            Self::Ok => "✔",
            Self::Bad => "✖",
            Self::Paused => "॥",
            Self::Neutral => "•",
            Self::None => " ",
        }
    }

    /// Of the phase of a rollout.
    pub fn of_rollout(phase: &str) -> Self {
        match phase {
            "Progressing" => Self::Progressing,
            "Error" | "InvalidSpec" => Self::Warning,
            "Paused" => Self::Paused,
            "Healthy" => Self::Ok,
            "Degraded" => Self::Bad,
            "Unknown" => Self::Unknown,
            "ScaledDown" => Self::Neutral,
            _ => Self::None,
        }
    }

    /// Of the phase of an analysis run, a Job of it, or an experiment.
    pub fn of_analysis(phase: &str) -> Self {
        match phase {
            "Successful" => Self::Ok,
            "Inconclusive" => Self::Unknown,
            "Failed" => Self::Bad,
            "Error" => Self::Warning,
            "Running" => Self::Progressing,
            "Pending" => Self::Waiting,
            _ => Self::None,
        }
    }

    /// Of the health of a ReplicaSet.
    pub fn of_replica_set(health: &str) -> Self {
        match health {
            "Progressing" => Self::Progressing,
            "Healthy" => Self::Ok,
            "ReplicaFailure" => Self::Bad,
            "ScaledDown" => Self::Neutral,
            _ => Self::None,
        }
    }

    /// Of the status of a pod, as kubectl words it.
    pub fn of_pod(status: &str) -> Self {
        match status {
            status if status.starts_with("Init:") => Self::Progressing,
            status if status.starts_with("Signal:") || status.starts_with("ExitCode:") => Self::Bad,
            status if status.ends_with("Error") || status.starts_with("Err") => Self::Warning,
            "Pending" | "Terminating" | "ContainerCreating" => Self::Progressing,
            "Running" | "Completed" => Self::Ok,
            "Failed" | "InvalidImageName" | "CrashLoopBackOff" => Self::Bad,
            "ImagePullBackOff" | "RegistryUnavailable" => Self::Warning,
            "Unknown" => Self::Unknown,
            _ => Self::None,
        }
    }

    const fn colour(self) -> Option<u8> {
        match self {
            Self::Waiting | Self::Unknown => Some(YELLOW),
            Self::Progressing => Some(BLUE),
            Self::Warning | Self::Bad => Some(RED),
            Self::Ok => Some(GREEN),
            Self::Paused | Self::Neutral | Self::None => None,
        }
    }
}

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;
const BLUE: u8 = 94;

/// The colour of a role, or of a run that is under way.
fn colour(word: &str) -> Option<u8> {
    match word {
        "canary" => Some(YELLOW),
        "stable" | "active" => Some(GREEN),
        "preview" | "ping" | "pong" | "Pending" | "Running" => Some(BLUE),
        _ => None,
    }
}

impl Paint {
    /// The sign of an icon.
    pub fn icon(self, icon: Icon) -> String {
        self.with(icon.sign(), icon.colour())
    }

    /// A word in its own colour.
    pub fn word(self, word: &str) -> String {
        self.with(word, colour(word))
    }

    /// A name in the colour of what it is.
    pub fn name(self, name: &str, like: &str) -> String {
        self.with(name, colour(like))
    }

    fn with(self, text: &str, colour: Option<u8>) -> String {
        match (self, colour) {
            (Self::Colour, Some(colour)) => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
            _ => text.to_owned(),
        }
    }
}
