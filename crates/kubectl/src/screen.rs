//! `get rollout` and `get experiment`: a head of labelled lines, and a tree of everything that is owned.

use serin_core::Time;

use crate::age;
use crate::info::{ExperimentInfo, Image, ReplicaSetInfo, RolloutInfo, RunInfo};
use crate::paint::{Icon, Paint};
use crate::table;

/// A row of the tree: name, kind, status, age, what else there is to say.
type Row = [String; 5];

/// A rollout in full.
//= compat: 7.2-2
pub fn rollout(info: &RolloutInfo, now: Time, paint: Paint) -> String {
    let mut head = Head::default();
    head.line("Name:", &info.name);
    head.line("Namespace:", &info.namespace);
    head.status(info.icon(), &info.phase, &info.message, paint);
    head.line("Strategy:", info.strategy);
    if info.strategy == "Canary" {
        head.line("  Step:", &info.step);
        head.line("  SetWeight:", &info.set_weight);
        head.line("  ActualWeight:", &info.actual_weight);
    }
    head.images(&info.images(), paint);
    head.0.push_str("Replicas:\n");
    let replicas = &info.replicas;
    for (label, count) in [
        ("  Desired:", replicas.desired),
        ("  Current:", replicas.current),
        ("  Updated:", replicas.updated),
        ("  Ready:", replicas.ready),
        ("  Available:", replicas.available),
    ] {
        head.line(label, &count.to_string());
    }
    let mut tree = Tree::new(now, paint);
    tree.row("⟳", &info.name, "Rollout", (info.icon(), &info.phase), age::since(info.created, now), String::new());
    let revisions = info.revisions();
    for (i, revision) in revisions.iter().enumerate() {
        tree.below(i + 1 == revisions.len(), |tree| tree.revision(info, *revision));
    }
    format!("{}\n{}", head.0, tree.drawn())
}

/// An experiment in full.
//= compat: 7.3-1
pub fn experiment(info: &ExperimentInfo, now: Time, paint: Paint) -> String {
    let mut head = Head::default();
    head.line("Name:", &info.name);
    head.line("Namespace:", &info.namespace);
    head.status(info.icon(), &info.phase, &info.message, paint);
    head.images(&info.images(), paint);
    let mut tree = Tree::new(now, paint);
    tree.experiment(info);
    format!("{}\n{}", head.0, tree.drawn())
}

/// The labelled lines.
#[derive(Default)]
struct Head(String);

impl Head {
    fn line(&mut self, label: &str, value: &str) {
        self.0.push_str(&format!("{label:<17}{value}\n"));
    }

    fn status(&mut self, icon: Icon, phase: &str, message: &str, paint: Paint) {
        self.line("Status:", &format!("{} {phase}", paint.icon(icon)));
        if !message.is_empty() {
            self.line("Message:", message);
        }
    }

    fn images(&mut self, images: &[Image], paint: Paint) {
        for (i, image) in images.iter().enumerate() {
            let tags: Vec<String> = image.tags.iter().map(|tag| paint.word(tag)).collect();
            let tags = if tags.is_empty() { String::new() } else { format!(" ({})", tags.join(", ")) };
            self.line(if i == 0 { "Images:" } else { "" }, &format!("{}{tags}", image.image));
        }
    }
}

/// The tree while it is drawn.
struct Tree {
    rows: Vec<Row>,
    /// The branch that leads to the next row, and what stands before those below it.
    branch: String,
    below: String,
    now: Time,
    paint: Paint,
}

impl Tree {
    //= compat: 7.2-5
    fn new(now: Time, paint: Paint) -> Self {
        let head = ["NAME", "KIND", "STATUS", "AGE", "INFO"].map(str::to_owned);
        Self { rows: vec![head], branch: String::new(), below: String::new(), now, paint }
    }

    fn drawn(&self) -> String {
        table::aligned(&self.rows)
    }

    /// Draws what hangs below the present row.
    fn below(&mut self, last: bool, draw: impl FnOnce(&mut Self)) {
        let (branch, below) = (self.branch.clone(), self.below.clone());
        let (corner, line) = if last { ("└──", "   ") } else { ("├──", "│  ") };
        self.branch = format!("{below}{corner}");
        self.below = format!("{below}{line}");
        draw(self);
        (self.branch, self.below) = (branch, below);
    }

    fn row(&mut self, sign: &str, name: &str, kind: &str, status: (Icon, &str), age: String, info: String) {
        let (icon, word) = status;
        let name = format!("{}{sign} {name}", self.branch);
        self.rows.push([name, kind.to_owned(), format!("{} {word}", self.paint.icon(icon)), age, info]);
    }

    //= compat: 7.2-7
    fn revision(&mut self, info: &RolloutInfo, revision: i64) {
        let name = format!("{}# revision:{revision}", self.branch);
        self.rows.push([name, String::new(), " ".to_owned(), String::new(), String::new()]);
        let sets = info.replica_sets.iter().filter(|one| one.revision == revision);
        let experiments = info.experiments.iter().filter(|one| one.revision == revision);
        let runs = info.runs.iter().filter(|one| one.revision == revision);
        let mut left = sets.clone().count() + experiments.clone().count() + runs.clone().count();
        let mut last = || {
            left -= 1;
            left == 0
        };
        sets.for_each(|set| self.below(last(), |tree| tree.replica_set(set)));
        experiments.for_each(|experiment| self.below(last(), |tree| tree.experiment(experiment)));
        runs.for_each(|run| self.below(last(), |tree| tree.run(run)));
    }

    fn experiment(&mut self, info: &ExperimentInfo) {
        let name = self.paint.name(&info.name, &info.phase);
        let age = age::since(info.created, self.now);
        self.row("Σ", &name, "Experiment", (info.icon(), &info.phase), age, String::new());
        let mut left = info.replica_sets.len() + info.runs.len();
        let mut last = || {
            left -= 1;
            left == 0
        };
        info.replica_sets.iter().for_each(|set| self.below(last(), |tree| tree.replica_set(set)));
        info.runs.iter().for_each(|run| self.below(last(), |tree| tree.run(run)));
    }

    fn replica_set(&mut self, set: &ReplicaSetInfo) {
        let name = set.roles.last().map_or_else(|| set.name.clone(), |role| self.paint.name(&set.name, role));
        let mut said: Vec<String> = set.roles.iter().map(|role| self.paint.word(role)).collect();
        said.extend(set.scale_down_at.map(|at| {
            let left = at.as_millis().saturating_sub(self.now.as_millis());
            if left < 0 { "delay:passed".to_owned() } else { format!("delay:{}", age::short(left)) }
        }));
        let status = (Icon::of_replica_set(set.health), set.health);
        self.row("⧉", &name, "ReplicaSet", status, age::since(set.created, self.now), said.join(","));
        for (i, pod) in set.pods.iter().enumerate() {
            self.below(i + 1 == set.pods.len(), |tree| {
                let restarts = if pod.restarts > 0 { format!(",restarts:{}", pod.restarts) } else { String::new() };
                let said = format!("ready:{}/{}{restarts}", pod.ready, pod.containers);
                let status = (Icon::of_pod(&pod.status), pod.status.as_str());
                tree.row("□", &pod.name, "Pod", status, age::since(pod.created, tree.now), said);
            });
        }
    }

    fn run(&mut self, run: &RunInfo) {
        let counts = [
            (Icon::Ok, run.counts.successful),
            (Icon::Bad, run.counts.failed),
            (Icon::Unknown, run.counts.inconclusive),
            (Icon::Warning, run.counts.error),
        ];
        let counted = counts.into_iter().filter(|(_, n)| *n > 0);
        let counted: Vec<String> = counted.map(|(icon, n)| format!("{} {n}", self.paint.icon(icon))).collect();
        let name = self.paint.name(&run.name, &run.phase);
        let status = (Icon::of_analysis(&run.phase), run.phase.as_str());
        self.row("α", &name, "AnalysisRun", status, age::since(run.created, self.now), counted.join(","));
        for (i, job) in run.jobs.iter().enumerate() {
            self.below(i + 1 == run.jobs.len(), |tree| {
                let name = tree.paint.name(&job.name, &job.phase);
                let status = (Icon::of_analysis(&job.phase), job.phase.as_str());
                tree.row("⊞", &name, "Job", status, age::since(job.started, tree.now), String::new());
            });
        }
    }
}
