//! `create`: objects from files, and analysis runs from templates.

use serde_json::Value;
use serin_controller::Write;
use serin_spec::arguments::{ArgumentError, compose, instantiate};
use serin_spec::wire::analysis::{AnalysisTemplateSpec, Argument};
use serin_spec::wire::canary::AnalysisTemplateRef;
use serin_spec::wire::keys::INSTANCE_LABEL;
use serin_spec::{Problem, Source, check, read};
use thiserror::Error;

/// Argo's group and version.
const ARGO: &str = "argoproj.io/v1alpha1";

/// The kinds that are created, and whether their objects are in namespaces.
const KINDS: [(&str, bool); 5] = [
    ("Rollout", true),
    ("Experiment", true),
    ("AnalysisTemplate", true),
    ("ClusterAnalysisTemplate", false),
    ("AnalysisRun", true),
];

/// Annotation of `kubectl apply`, which speaks of the template and not of a run made of it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Why nothing is created.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum CreateError {
    /// The file is no manifest, or one with fields that nobody knows.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Malformed(Vec<Problem>),
    /// A file without an object.
    #[error("{0} holds no object")]
    Empty(String),
    /// An object of a kind that is not created here.
    #[error("creates of {group}/{kind} unsupported")]
    Unsupported {
        /// Group, empty for the core group.
        group: String,
        /// Kind.
        kind: String,
    },
    /// An argument that is none.
    #[error("arguments must be in the form NAME=VALUE")]
    Argument,
    /// A template that cannot be read.
    #[error("failed to read the template {name}: {why}")]
    Template {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A run without a name.
    #[error("name is invalid")]
    Name,
    /// Template and arguments make no run.
    #[error(transparent)]
    Run(#[from] ArgumentError),
}

/// The writes that create the objects of a file, in its order, those without a namespace in `namespace`. Nothing is created of
/// a file in which anything cannot be read or is not known; whether an object breaks a rule is for its controller to say.
///
/// # Errors
/// When the file cannot be used.
//= compat: 7.6-2
//= compat-differs: 7.6-2 every document of a file is created; the original takes the first and says nothing of the others
pub fn objects(source: &Source, namespace: &str) -> Result<Vec<Write>, CreateError> {
    let objects = read::objects(std::slice::from_ref(source));
    let known = |object: &Value| {
        let kind = KINDS.into_iter().find(|(kind, _)| object["kind"] == *kind);
        kind.filter(|_| object["apiVersion"] == ARGO)
    };
    for object in &objects {
        if known(object).is_none() && object["apiVersion"].is_string() && object["kind"].is_string() {
            let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
            let group = text("apiVersion").rsplit_once('/').map_or_else(String::new, |(group, _)| group.to_owned());
            return Err(CreateError::Unsupported { group, kind: text("kind") });
        }
    }
    let checked = check(std::slice::from_ref(source));
    let catalog = &checked.catalog;
    let read = catalog.rollouts.len()
        + catalog.experiments.len()
        + catalog.analysis_templates.len()
        + catalog.cluster_analysis_templates.len()
        + catalog.analysis_runs.len();
    if read < objects.len() || objects.is_empty() {
        let errors: Vec<Problem> = checked.problems.into_iter().filter(Problem::is_error).collect();
        return Err(if errors.is_empty() {
            CreateError::Empty(source.name.clone())
        } else {
            CreateError::Malformed(errors)
        });
    }
    let write = |mut object: Value| {
        let namespaced = known(&object).is_none_or(|(_, namespaced)| namespaced);
        if namespaced && object["metadata"].is_object() && object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = namespace.into();
        }
        Write::create(object)
    };
    Ok(objects.into_iter().map(write).collect())
}

/// What is said of an object that was created.
pub fn created(kind: &str, name: &str) -> String {
    format!("{}.argoproj.io/{name} created", kind.to_lowercase())
}

/// What a run is made of besides its template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunOf<'a> {
    /// Values, each as `NAME=VALUE`.
    pub arguments: &'a [String],
    /// Its name.
    pub name: Option<&'a str>,
    /// The beginning of its name, where the server makes the rest; the template's name when neither is given.
    pub generate_name: Option<&'a str>,
    /// Its namespace.
    pub namespace: &'a str,
    /// The controller that is to carry it out, if several do.
    pub instance: Option<&'a str>,
}

/// A run and what its author should know.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The write that creates it.
    pub write: Write,
    /// Arguments that no template declares: they are left out.
    pub unknown: Vec<String>,
}

/// A run of a template. `find` knows the templates that it names in turn.
///
/// # Errors
/// When the template cannot be read, an argument has no form or no value, or the run would have no name.
//= compat: 7.6-3
//= compat-differs: 7.6-3 templates that the template names are part of the run; the original leaves them out, and the run measures less than the template says
pub fn analysis_run<'t>(
    template: &Value,
    find: &dyn Fn(&AnalysisTemplateRef) -> Option<&'t AnalysisTemplateSpec>,
    of: &RunOf<'_>,
) -> Result<NewRun, CreateError> {
    let given: Vec<Argument> = of.arguments.iter().map(|text| argument(text)).collect::<Result<_, _>>()?;
    let name = template["metadata"]["name"].as_str().unwrap_or_default();
    let spec = spec(template)?;
    let mut whole = composed(name, &spec, find)?;
    if whole.args.is_empty() {
        // Nothing is declared, so whatever is given is taken for meant.
        whole.args.clone_from(&given);
    }
    let declared = |arg: &&Argument| whole.args.iter().any(|known| known.name == arg.name);
    let unknown = given.iter().filter(|arg| !declared(arg)).map(|arg| arg.name.clone()).collect();
    let run = instantiate(&whole, &given, &[], &[])?;
    let mut metadata = serde_json::Map::new();
    match (of.name.filter(|n| !n.is_empty()), of.generate_name.filter(|n| !n.is_empty())) {
        (Some(given), _) => metadata.insert("name".to_owned(), given.into()),
        (None, Some(begin)) => metadata.insert("generateName".to_owned(), begin.into()),
        (None, None) if name.is_empty() => return Err(CreateError::Name),
        (None, None) => metadata.insert("generateName".to_owned(), format!("{name}-").into()),
    };
    metadata.insert("namespace".to_owned(), of.namespace.into());
    let mut labels = template["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    labels.extend(of.instance.map(|id| (INSTANCE_LABEL.to_owned(), id.into())));
    let mut annotations = template["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    annotations.remove(LAST_APPLIED);
    for (key, fields) in [("labels", labels), ("annotations", annotations)] {
        if !fields.is_empty() {
            metadata.insert(key.to_owned(), fields.into());
        }
    }
    let run = serde_json::json!({
        "apiVersion": ARGO, "kind": "AnalysisRun", "metadata": metadata,
        "spec": serde_json::to_value(&run).unwrap_or(Value::Null),
    });
    Ok(NewRun { write: Write::create(run), unknown })
}

/// The spec of a template.
///
/// # Errors
/// When it is none.
pub fn spec(template: &Value) -> Result<AnalysisTemplateSpec, CreateError> {
    let name = template["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    serde_json::from_value(template["spec"].clone()).map_err(|e| CreateError::Template { name, why: e.to_string() })
}

/// The template with those that it names.
fn composed<'t>(
    name: &str,
    spec: &AnalysisTemplateSpec,
    find: &dyn Fn(&AnalysisTemplateRef) -> Option<&'t AnalysisTemplateSpec>,
) -> Result<AnalysisTemplateSpec, CreateError> {
    if spec.templates.is_empty() {
        return Ok(spec.clone());
    }
    let own = AnalysisTemplateRef { template_name: name.to_owned(), ..AnalysisTemplateRef::default() };
    let references: Vec<AnalysisTemplateRef> = std::iter::once(own.clone()).chain(spec.templates.clone()).collect();
    Ok(compose(&references, &|reference| if *reference == own { Some(spec) } else { find(reference) })?)
}

fn argument(text: &str) -> Result<Argument, CreateError> {
    let (name, value) = text.split_once('=').ok_or(CreateError::Argument)?;
    Ok(Argument { name: name.to_owned(), value: Some(value.to_owned()), value_from: None })
}
