//! From a file to a checked policy, with everything the policy room wants to know of the world around it.

use super::Stuck;
use model::{CatalogModel, ProviderPreset, Timestamp};
use policy::Policy;
use policy::file::{Finding, Known, Severity};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Where a policy is looked for when no file is named.
pub const DEFAULT: &str = "pointsman.yaml";

/// The vendors' rows as policy sees them.
pub fn presets() -> &'static [ProviderPreset] {
    static PRESETS: OnceLock<Vec<ProviderPreset>> = OnceLock::new();
    PRESETS.get_or_init(|| wire::rows().iter().map(|row| row.preset).collect())
}

/// The presets whose key stands in the environment, in the order of the table.
pub fn found() -> Vec<&'static ProviderPreset> {
    presets().iter().filter(|p| p.base_url.is_some() && p.key_env.iter().any(|name| is_set(name))).collect()
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// A policy file that was read and checked.
pub struct Checked {
    /// Where it is.
    pub path: PathBuf,
    /// The policy, unless the file has errors.
    pub policy: Option<Policy>,
    /// Everything that was found.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// The policy, or the findings as the reason why there is none.
    pub fn usable(self) -> Result<Policy, Stuck> {
        let Checked { path, policy, findings } = self;
        policy.ok_or_else(|| {
            let errors = findings.iter().filter(|f| f.severity == Severity::Error);
            let shown: Vec<String> =
                errors.map(|f| f.in_file(&path.display().to_string()).to_string()).collect();
            Stuck(format!("{} cannot be used:\n\n{}", path.display(), shown.join("\n")))
        })
    }
}

/// Reads and checks the named file, or `pointsman.yaml` here.
pub fn checked(file: Option<&Path>) -> Result<Checked, Stuck> {
    let path = file.unwrap_or(Path::new(DEFAULT)).to_owned();
    let text = std::fs::read_to_string(&path).map_err(|e| {
        let hint =
            if file.is_none() { "; name a file with -c, or make one with `pointsman init`" } else { "" };
        Stuck(format!("{} cannot be read: {e}{hint}", path.display()))
    })?;
    let beside = path.parent().unwrap_or(Path::new("")).to_owned();
    let read = move |name: &str| std::fs::read_to_string(beside.join(name)).map_err(|e| e.to_string());
    // A provider that the text does not even mention cannot be part of the policy.
    let models = wire::catalog::models_of(&|provider| text.contains(provider));
    let loaded = policy::file::load(&text, &known(&models, &read));
    Ok(Checked { path, policy: loaded.policy, findings: loaded.findings })
}

/// The named file, `pointsman.yaml` here if there is one, or the providers whose keys stand in the environment.
pub fn policy(file: Option<&Path>) -> Result<(Policy, Option<PathBuf>), Stuck> {
    if file.is_some() || Path::new(DEFAULT).exists() {
        let checked = checked(file)?;
        let path = checked.path.clone();
        return Ok((checked.usable()?, Some(path)));
    }
    let found = found();
    let models = wire::catalog::models_of(&|provider| found.iter().any(|preset| preset.name == provider));
    let nothing = |_: &str| Err("no file is read here".to_owned());
    Ok((policy::file::from_keys(&found, &known(&models, &nothing)), None))
}

/// What the policy room may know.
pub fn known<'a>(models: &'a [CatalogModel], read: &'a dyn Fn(&str) -> Result<String, String>) -> Known<'a> {
    Known { presets: presets(), models, env: &is_set, read, now: now() }
}

/// The wall clock, for commands.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Where the store is: named outright, or as the policy says.
pub fn data_dir(named: Option<&Path>, file: Option<&Path>) -> Result<PathBuf, Stuck> {
    match named {
        Some(dir) => Ok(dir.to_owned()),
        None => Ok(policy(file)?.0.store.data_dir.clone()),
    }
}
