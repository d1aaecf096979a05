# Every command of this project. CI runs `just test` and nothing else; without `just` at hand,
# `npx --yes rust-just <command>` does the same.

set shell := ["bash", "-euo", "pipefail", "-c"]

built := env("CARGO_TARGET_DIR", justfile_directory() / "target")
programs := built / "debug"

# List the commands
[private]
default:
    @just --list --unsorted

# Start a meeting that already talks, behind four relays, two of them in a chain; open the printed URL, Ctrl-C ends it
demo *options: _nats _programs
    @nats="$(scripts/provision nats | tail -n 1)" && NATS_SERVER="$nats" {{ programs }}/demo {{ options }}

# Start the demo, let Chromium open its URL and listen, and end: exit code 0 if it saw and heard
demo-check: _programs
    @scripts/provision chromium browser >/dev/null
    @nats="$(scripts/provision nats | tail -n 1)" && NATS_SERVER="$nats" node tests/browser/demo-check.mjs {{ programs }}/demo

# Prove in a minute that people behind two relays hear each other; one JSON object at the end
smoke *options: _nats _programs
    @nats="$(scripts/provision nats | tail -n 1)" && NATS_SERVER="$nats" {{ programs }}/smoke {{ options }}

# Prove who may enter a meeting and who may look at it, flow by flow; one JSON object at the end
smoke-access *options: _nats _peers _programs
    @nats="$(scripts/provision nats | tail -n 1)" && NATS_SERVER="$nats" {{ programs }}/smoke-access {{ options }}

# Prove by real WebRTC who hears whom: whispers, a room, two meetings; one JSON object at the end
smoke-talk *options: _nats _programs
    @nats="$(scripts/provision nats | tail -n 1)" && NATS_SERVER="$nats" {{ programs }}/smoke-talk {{ options }}

# Prove by real WebRTC that people at four relays in a chain hear each other; one JSON object at the end
smoke-relays *options: _nats _programs
    @nats="$(scripts/provision nats | tail -n 1)" && NATS_SERVER="$nats" {{ programs }}/smoke-relays {{ options }}

# Kill processes while people do things (`operations`), let relays be evil (`evil-relay`, `evil-edge`), or cut (`uplink`) and choke (`uplink-loss`) an office's uplink; one JSON object at the end
faults name *options: _nats _peers _programs
    @{{ if name =~ "^uplink" { "scripts/provision netns" } else { ":" } }} >/dev/null
    @{{ if name == "uplink-loss" { "cargo build --release --bin tributary --bin faults --bin office" } else { ":" } }}
    @nats="$(scripts/provision nats | tail -n 1)" && NATS_SERVER="$nats" \
        {{ if name == "uplink-loss" { built / "release" } else { programs } }}/faults {{ name }} {{ options }}

# Measure `access` (a cached decision), `oracle` (can outsiders tell?) or `relay-bytes` (an office's uplink)
bench name *options: _nats _peers _release
    @{{ if name == "relay-bytes" { "scripts/provision netns" } else { ":" } }} >/dev/null
    @nats="$(scripts/provision nats | tail -n 1)" && NATS_SERVER="$nats" {{ built }}/release/bench {{ name }} {{ options }}

# Everything: set-up, checks, all tests; this is what CI runs
test:
    @scripts/test

# The Rust tests alone; arguments go to cargo, such as `-p tributary-mixer-core`
cargo-test *arguments: _tools _peers _web
    @nats="$(scripts/provision nats | tail -n 1)" && smtp="$(scripts/provision mail | tail -n 1)" && \
        oidc="$(scripts/provision oidc | tail -n 1)" && \
        NATS_SERVER="$nats" TRIBUTARY_TEST_SMTP="$smtp" TRIBUTARY_TEST_OIDC="$oidc" \
        scripts/with-postgres cargo test {{ if arguments == "" { "--workspace" } else { arguments } }}

# The browser tests alone; arguments go to `node --test`, such as `--test-name-pattern=tone`
browser-test *arguments: _programs
    @scripts/browser-test {{ arguments }}

# Formatting, lints, contracts, dependencies and types
check: _tools _web
    @scripts/check

# Build the web client and everything else, for development
build: _programs

# Build the web client
web: _tools
    @cd services/web-client && npm run build

# Repair what can be repaired by a program
fix: _tools
    cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
    cargo fmt --all
    cd services/web-client && npm run format

# Install or fetch what is missing, for everything above
setup:
    @scripts/provision toolchain nats postgres chromium deny web browser mail oidc netns

# Remove the demo's data; `just demo` starts anew then
wipe:
    rm -rf .demo

# The tools without which nothing builds
[private]
_tools:
    @scripts/provision toolchain web

# The nats-server, looked for or fetched before anything long begins
[private]
_nats: _tools
    @scripts/provision nats >/dev/null

# What tests talk to besides: PostgreSQL, a mail server and an OpenID provider
[private]
_peers: _tools
    @scripts/provision postgres mail oidc >/dev/null

# The web client is part of the relay gateway; it is built again when a source is newer
[private]
_web: _tools
    @scripts/build-web

[private]
_programs: _web
    @cargo build --workspace --bins

[private]
_release: _web
    @cargo build --release --bin tributary --bin bench --bin faults --bin office
