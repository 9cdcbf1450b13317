//! `sedge schema`.

mod source;

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use sedge_oni::{
    Effect, FRAME_MAGIC, Schema, SchemaDifference, SchemaDocument, SchemaId, schema_differences,
    schema_documents, schemas,
};
use sedge_runtime::{CheckedFrame, CheckedFrames};
use serde::Serialize;
use serde_json::Value;

use super::write_json;
use crate::bus_session::{BusSession, LinkArgs};
use crate::{ExitWith, Table};
use source::{Answer, Schemas};

/// A file to be checked is read at once, and longer ones are not files of messages to look at.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// The command did its work, and what it looked at does not fit.
const EXIT_MISFIT: u8 = 1;

/// What `sedge schema` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge schema list                               the message types of this program
  sedge schema list --connect tcp/robot:7447      and those of every agent there
  sedge schema show sensor.lidar
  sedge schema show crane3/sensor.lidar           as the agent crane3 answers for it
  sedge schema check my.lidar.json                a schema document
  sedge schema check recorded.oni                 a file of framed messages
  sedge schema diff sensor.lidar crane3/sensor.lidar

A SCHEMA is a file, a message type of this program, or [FLEET/]AGENT/TYPE, which is asked over the
network (tcp/127.0.0.1:7447 unless --connect says otherwise). Exit codes: 0 done, 1 failed or what
was looked at does not fit, 2 the request makes no sense.")]
pub struct SchemaArgs {
    /// What to do.
    #[command(subcommand)]
    pub task: SchemaTask,
}

/// What can be done with schemas.
#[derive(Debug, Subcommand)]
pub enum SchemaTask {
    /// List message types: this program's, and with --connect those of every agent.
    List(ListSchemas),
    /// Say what the messages of a type hold; with --json, print the document.
    Show(ShowSchema),
    /// Check a schema document, or the messages of a file of frames.
    Check(CheckSchema),
    /// Say in what two schemas differ, and whether a reader of A can read what a sender of B sends.
    Diff(DiffSchemas),
}

/// What `sedge schema list` takes.
#[derive(Debug, Args)]
pub struct ListSchemas {
    /// Whom to ask.
    #[command(flatten)]
    pub links: LinkArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What `sedge schema show` takes.
#[derive(Debug, Args)]
pub struct ShowSchema {
    /// Which one.
    #[arg(value_name = "SCHEMA")]
    pub schema: String,
    /// Whom to ask.
    #[command(flatten)]
    pub links: LinkArgs,
    /// Print the document.
    #[arg(long)]
    pub json: bool,
}

/// What `sedge schema check` takes.
#[derive(Debug, Args)]
pub struct CheckSchema {
    /// A schema document, or a file of framed messages.
    #[arg(value_name = "FILE")]
    pub path: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What `sedge schema diff` takes.
#[derive(Debug, Args)]
pub struct DiffSchemas {
    /// The reader's schema.
    #[arg(value_name = "A")]
    pub reader: String,
    /// The sender's schema.
    #[arg(value_name = "B")]
    pub sender: String,
    /// Whom to ask.
    #[command(flatten)]
    pub links: LinkArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A schema's name, version and hash, as `--json` prints them.
#[derive(Debug, Serialize)]
struct IdView {
    name: String,
    version: String,
    hash: String,
}

/// A schema that somebody on the network answers for.
#[derive(Debug, Serialize)]
struct AgentView {
    agent: String,
    message_type: String,
    /// None where the answer is no schema.
    schema: Option<IdView>,
    /// Why its messages are not read here; none where they are.
    refused: Option<String>,
}

#[derive(Debug, Serialize)]
struct ListView {
    built_in: Vec<IdView>,
    /// None where nobody was asked.
    agents: Option<Vec<AgentView>>,
}

#[derive(Debug, Serialize)]
struct CheckView {
    kind: &'static str,
    valid: bool,
    schema: Option<IdView>,
    error: Option<String>,
    frames: Option<Vec<CheckedFrame>>,
}

#[derive(Debug, Serialize)]
struct DiffView {
    reader: IdView,
    sender: IdView,
    /// Why the reader refuses the sender's messages; none where it reads them.
    refused: Option<String>,
    differences: Vec<DifferenceView>,
}

#[derive(Debug, Serialize)]
struct DifferenceView {
    tensor: Option<String>,
    effect: &'static str,
    text: String,
}

/// Does what was asked of schemas.
///
/// # Errors
/// When a file, a name or an agent cannot be found, and with an exit code of its own when what was
/// looked at does not fit.
pub fn run(args: &SchemaArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.task {
        SchemaTask::List(args) => list(args, out),
        SchemaTask::Show(args) => show(args, out),
        SchemaTask::Check(args) => check(args, out),
        SchemaTask::Diff(args) => diff(args, out),
    }
}

fn list(args: &ListSchemas, out: &mut dyn Write) -> anyhow::Result<()> {
    let links = &args.links;
    let asks = !links.connect.is_empty() || !links.listen.is_empty() || links.launch.is_some();
    let agents = if asks {
        let answers = source::ask_everybody(&BusSession::open(links)?)?;
        Some(answers.iter().map(AgentView::from).collect())
    } else {
        None
    };
    let view = ListView {
        built_in: schemas().iter().map(|schema| (&schema.id).into()).collect(),
        agents,
    };
    if args.json {
        return write_json(&view, out);
    }
    let mut table = Table::new(["message type", "version", "hash"]);
    for IdView {
        name,
        version,
        hash,
    } in &view.built_in
    {
        table.push([name, version, hash]);
    }
    write!(out, "{}", table.text())?;
    let Some(agents) = &view.agents else {
        return Ok(());
    };
    let mut table = Table::new(["agent", "message type", "version", "hash", "read here"]);
    for view in agents {
        let id = |of: fn(&IdView) -> &String| view.schema.as_ref().map(of).cloned();
        table.push([
            view.agent.clone(),
            view.message_type.clone(),
            id(|id| &id.version).unwrap_or_default(),
            id(|id| &id.hash).unwrap_or_default(),
            view.refused.clone().unwrap_or_else(|| "yes".to_owned()),
        ]);
    }
    write!(out, "\n{}", table.text())?;
    if table.is_empty() {
        eprintln!("nobody answered for a schema; `sedge list` says who is there");
    }
    Ok(())
}

fn show(args: &ShowSchema, out: &mut dyn Write) -> anyhow::Result<()> {
    let document = Schemas::new(&args.links).find(&args.schema)?;
    if args.json {
        let json: Value = serde_json::from_str(document.canonical())?;
        return write_json(&json, out);
    }
    Ok(write!(out, "{}", schema_text(document.schema())?)?)
}

fn schema_text(schema: &Schema) -> anyhow::Result<String> {
    let mut text = String::new();
    let (id, model_hash) = (&schema.id, schema.model_hash.name());
    writeln!(
        text,
        "{id}\n{}\nmodel hash: {model_hash}\n",
        schema.description
    )?;
    let mut table = Table::new(["tensor", "layout", "unit", "frame", "values", "rule", ""]);
    for rule in &schema.tensors {
        let name = match rule.presence {
            sedge_oni::Presence::Required => rule.name.clone(),
            sedge_oni::Presence::Optional => format!("{} (optional)", rule.name),
        };
        let rule_text = rule.content.text();
        table.push([
            name,
            rule.layout(),
            rule.unit.clone(),
            rule.frame.clone().unwrap_or_default(),
            rule.values_text(),
            if rule_text == "none" {
                String::new()
            } else {
                rule_text
            },
            rule.description.clone(),
        ]);
    }
    text.push_str(&table.text());
    Ok(text)
}

fn check(args: &CheckSchema, out: &mut dyn Write) -> anyhow::Result<()> {
    let bytes = read_file(&args.path)?;
    let view = if bytes.starts_with(&FRAME_MAGIC) {
        check_frames(&bytes)
    } else {
        check_document(&bytes)
    };
    if args.json {
        write_json(&view, out)?;
    } else {
        write!(out, "{}", check_text(&args.path, &view))?;
    }
    if view.valid {
        Ok(())
    } else {
        bail!(ExitWith(EXIT_MISFIT))
    }
}

fn check_frames(bytes: &[u8]) -> CheckView {
    let frames: Vec<CheckedFrame> = CheckedFrames::new(bytes).collect();
    CheckView {
        kind: "frames",
        valid: frames.iter().all(|frame| frame.error.is_none()),
        schema: None,
        error: None,
        frames: Some(frames),
    }
}

fn check_document(bytes: &[u8]) -> CheckView {
    let document = source::document_of(bytes);
    CheckView {
        kind: "schema",
        valid: document.is_ok(),
        schema: document.as_ref().ok().map(|it| (&it.schema().id).into()),
        error: document.err().map(|error| error.to_string()),
        frames: None,
    }
}

fn check_text(path: &Path, view: &CheckView) -> String {
    let place = path.display();
    if let Some(frames) = &view.frames {
        return frames.iter().map(|frame| frame_line(path, frame)).collect();
    }
    match (&view.schema, &view.error) {
        (Some(id), _) => format!("{place}: valid, {} {} ({})\n", id.name, id.version, id.hash),
        (None, error) => format!("{place}: {}\n", error.clone().unwrap_or_default()),
    }
}

fn frame_line(path: &Path, frame: &CheckedFrame) -> String {
    let sender = match &frame.source {
        Some((agent, epoch, sequence)) => format!("{agent}, epoch {epoch}, number {sequence}: "),
        None => String::new(),
    };
    let verdict = match (&frame.code, &frame.error) {
        (Some(code), Some(error)) => format!("{code}: {error}"),
        _ => format!("valid, {}", frame.schema.clone().unwrap_or_default()),
    };
    let (path, at_byte) = (path.display(), frame.at_byte);
    format!("{path} at byte {at_byte}: {sender}{verdict}\n")
}

fn diff(args: &DiffSchemas, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut found = Schemas::new(&args.links);
    let (reader, sender) = (found.find(&args.reader)?, found.find(&args.sender)?);
    let (reader, sender) = (reader.schema(), sender.schema());
    let refused = reader.check_sender(sender).err();
    let view = DiffView {
        reader: (&reader.id).into(),
        sender: (&sender.id).into(),
        refused: refused.map(|mismatch| mismatch.to_string()),
        differences: schema_differences(reader, sender)
            .iter()
            .map(DifferenceView::from)
            .collect(),
    };
    if args.json {
        write_json(&view, out)?;
    } else {
        for difference in &view.differences {
            writeln!(out, "{}: {}", difference.effect, difference.text)?;
        }
        match &view.refused {
            Some(reason) => writeln!(out, "a reader of A refuses B: {reason}")?,
            None => writeln!(out, "a reader of A reads B")?,
        }
    }
    if view.refused.is_some() {
        bail!(ExitWith(EXIT_MISFIT));
    }
    Ok(())
}

/// A whole file, unless it is far too long.
fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", path.display());
    let n_bytes = std::fs::metadata(path).with_context(cannot)?.len();
    if n_bytes > FILE_BYTES_MAX {
        bail!(
            "{}: expected a file of at most {FILE_BYTES_MAX} bytes, got {n_bytes}",
            path.display()
        );
    }
    std::fs::read(path).with_context(cannot)
}

impl From<&SchemaId> for IdView {
    fn from(id: &SchemaId) -> Self {
        Self {
            name: id.name.clone(),
            version: format!("{}.{}", id.major, id.minor),
            hash: format!("{:032x}", u128::from_be_bytes(id.hash)),
        }
    }
}

impl From<&Answer> for AgentView {
    fn from(answer: &Answer) -> Self {
        let (key, schema) = (&answer.key, answer.document.as_ref());
        let refused = match schema.map(SchemaDocument::schema) {
            Err(error) => Some(error.clone()),
            Ok(theirs) => {
                let mut ours = schemas().iter();
                match ours.find(|ours| ours.id.name == theirs.id.name) {
                    Some(ours) => ours.check_sender(theirs).err().map(|it| it.to_string()),
                    None => Some("no schema of this name is known here".to_owned()),
                }
            }
        };
        Self {
            agent: format!("{}/{}", key.fleet(), key.agent()),
            message_type: key.stream().to_owned(),
            schema: schema.ok().map(|document| (&document.schema().id).into()),
            refused,
        }
    }
}

impl From<&SchemaDifference> for DifferenceView {
    fn from(difference: &SchemaDifference) -> Self {
        Self {
            tensor: difference.tensor.clone(),
            effect: match difference.effect {
                Effect::Breaks => "breaks",
                Effect::Compatible => "compatible",
                Effect::Wording => "wording",
            },
            text: difference.to_string(),
        }
    }
}

/// The document of a message type of this program.
fn built_in(name: &str) -> Option<SchemaDocument> {
    let mut documents = schema_documents().into_iter();
    documents.find(|document| document.schema().id.name == name)
}
