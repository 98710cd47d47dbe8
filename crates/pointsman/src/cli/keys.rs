//! `pointsman keys`: application keys, beside a running server or without one.

use super::{Outcome, Stuck, load, out};
use crate::edge::keys;
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;
use store::{KeyRing, NewKey};

pub const EXAMPLES: &str = "Examples:
  pointsman keys create --team support
  pointsman keys create --team support --workflow refund-triage --expires 90d --json
  pointsman keys list
  pointsman keys revoke k3v9m2q7x4w8";

const CREATE: &str = "Examples:
  pointsman keys create --team support
  pointsman keys create --team support --workflow refund-triage --expires 90d --json
  pointsman keys create --team support --data-class phi --name 'night batch'";

const LIST: &str = "Examples:
  pointsman keys list
  pointsman keys list --json --data-dir ./pointsman-data";

const REVOKE: &str = "Example:
  pointsman keys revoke k3v9m2q7x4w8        # `pointsman keys list` shows the ids";

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// The policy file that says where the store is
    #[arg(short, long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Where the store is, if not where the policy says
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key; it is shown once
    #[command(after_help = CREATE)]
    Create {
        /// The team it belongs to
        #[arg(long)]
        team: String,
        /// Only these of the team's workflows
        #[arg(long = "workflow")]
        workflows: Vec<String>,
        /// The least data class of everything sent with it
        #[arg(long)]
        data_class: Option<String>,
        /// How long it is good for, as in 90d
        #[arg(long, value_name = "DURATION")]
        expires: Option<String>,
        /// A name to recognise it by
        #[arg(long)]
        name: Option<String>,
    },
    /// List keys; secrets are not stored
    #[command(after_help = LIST)]
    List,
    /// Revoke a key by its id
    #[command(after_help = REVOKE)]
    Revoke {
        /// The key's public id
        id: String,
    },
}

pub fn run(args: Args) -> Result<Outcome, Stuck> {
    let data_dir = load::data_dir(args.data_dir.as_deref(), args.config.as_deref())?;
    let ring = KeyRing::open(&data_dir)?;
    let now = load::now();
    match args.command {
        Command::Create { team, workflows, data_class, expires, name } => {
            let expires = match expires.as_deref().map(policy::file::duration).transpose() {
                Ok(lifetime) => lifetime.map(|lifetime| keys::expiry(lifetime, now)),
                Err(why) => return Err(Stuck(format!("--expires: {why}"))),
            };
            let new = NewKey { team, workflows, data_class, expires, name };
            // With the store named outright there may be no policy at hand to hold the key against.
            if args.config.is_some() || args.data_dir.is_none() {
                keys::check(&load::policy(args.config.as_deref())?.0, &new).map_err(Stuck)?;
            }
            let created = ring.create(&new, now)?;
            if args.json {
                out::line(json!({"id": created.id, "key": created.key}))?;
            } else {
                out::line(format_args!(
                    "{}\n\nThis is the only time the key is shown. Its id is {}.",
                    created.key, created.id
                ))?;
            }
            Ok(Outcome::Good)
        }
        Command::List => {
            let listed = ring.list()?;
            if args.json {
                let shown: Vec<_> = listed.iter().map(|key| keys::shown(key, now)).collect();
                out::line(json!({"keys": shown}))?;
                return Ok(Outcome::Good);
            }
            out::line(format_args!("{:14} {:16} {:8} {:26} workflows", "id", "team", "state", "made"))?;
            for key in &listed {
                let NewKey { team, workflows, .. } = &key.settings;
                let workflows =
                    if workflows.is_empty() { "all of the team's".into() } else { workflows.join(", ") };
                let (state, made) = (keys::state(key, now), key.created.to_string());
                out::line(format_args!("{:14} {team:16} {state:8} {made:26} {workflows}", key.id))?;
            }
            Ok(Outcome::Good)
        }
        Command::Revoke { id } => {
            if !ring.revoke(&id, now)? {
                return Err(Stuck(format!(
                    "there is no key {id} that is still good; `pointsman keys list` shows all"
                )));
            }
            if args.json {
                out::line(json!({"id": id, "revoked": true}))?;
            } else {
                out::line(format_args!("{id} is revoked; running servers refuse it within a second."))?;
            }
            Ok(Outcome::Good)
        }
    }
}
