//! What every crate must look like, as `cargo metadata` tells it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "metadata of another shape fails the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tributary_tidy::PURE_LIBS;

/// What talks: a pure crate has none of these below it.
const TALKERS: [&str; 8] =
    ["tokio", "tonic", "async-nats", "sea-orm", "sqlx", "sqlx-core", "axum", "tributary-contracts"];

fn metadata() -> Value {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform", &host()])
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The platform this runs on: crates of others need not be there.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// Names and normal dependencies of all packages, by id.
struct Graph {
    names: BTreeMap<String, String>,
    dependencies: BTreeMap<String, Vec<String>>,
    members: Vec<String>,
}

impl Graph {
    fn new(metadata: &Value) -> Self {
        let names = list(&metadata["packages"])
            .iter()
            .map(|package| (text(&package["id"]).to_owned(), text(&package["name"]).to_owned()))
            .collect();
        let dependencies = list(&metadata["resolve"]["nodes"])
            .iter()
            .map(|node| (text(&node["id"]).to_owned(), normal_dependencies(node)))
            .collect();
        let members =
            list(&metadata["workspace_members"]).iter().map(|id| text(id).to_owned()).collect();
        Self { names, dependencies, members }
    }

    fn below(&self, id: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            for dependency in &self.dependencies[id] {
                if seen.insert(dependency.as_str()) {
                    open.push(dependency);
                }
            }
        }
        seen
    }
}

fn normal_dependencies(node: &Value) -> Vec<String> {
    list(&node["deps"])
        .iter()
        .filter(|dependency| {
            list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null())
        })
        .map(|dependency| text(&dependency["pkg"]).to_owned())
        .collect()
}

#[test]
fn crates_that_decide_do_not_talk() {
    let graph = Graph::new(&metadata());
    let mut pure = 0;
    let mut findings = Vec::new();
    for id in &graph.members {
        let name = graph.names[id].as_str();
        if !name.ends_with("-core")
            && !PURE_LIBS.iter().any(|pure| name == format!("tributary-{pure}"))
        {
            continue;
        }
        pure += 1;
        for below in graph.below(id) {
            let below = graph.names[below].as_str();
            if TALKERS.contains(&below) {
                findings.push(format!("{name} has {below} below it"));
            }
        }
    }
    assert!(pure >= 10, "found only {pure} pure crates");
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn no_service_knows_another() {
    let graph = Graph::new(&metadata());
    let services = ["credential", "meeting-registry", "access-control", "mixer", "relay-gateway"];
    let service_of = |name: &str| {
        services.into_iter().find(|service| {
            name == format!("tributary-{service}-core")
                || name == format!("tributary-{service}-server")
        })
    };
    let mut findings = Vec::new();
    for id in &graph.members {
        let name = &graph.names[id];
        let Some(service) = service_of(name) else { continue };
        for below in graph.below(id) {
            let below = &graph.names[below];
            if service_of(below).is_some_and(|other| other != service) {
                findings.push(format!("{name} has {below} below it"));
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn every_crate_takes_its_lints_and_its_edition_from_the_workspace_and_says_what_it_is() {
    let metadata = metadata();
    let mut findings = Vec::new();
    for package in list(&metadata["packages"]) {
        if !list(&metadata["workspace_members"]).contains(&package["id"]) {
            continue;
        }
        let manifest = std::fs::read_to_string(text(&package["manifest_path"])).unwrap();
        let name = text(&package["name"]);
        if !manifest.contains("[lints]\nworkspace = true") {
            findings.push(format!("{name}: no `[lints] workspace = true`"));
        }
        for key in ["edition", "rust-version", "license"] {
            if !manifest.contains(&format!("{key}.workspace = true")) {
                findings.push(format!("{name}: no `{key}.workspace = true`"));
            }
        }
        if package["description"].as_str().is_none_or(|description| description.len() < 10) {
            findings.push(format!("{name}: no description"));
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
