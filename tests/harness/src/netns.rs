//! A network namespace of its own for an office: one cable leads out of it, and that can be cut, lose
//! packets and be slow. Needs root, `ip` (iproute2) and `nft` (nftables); `tc` only to be slow.
//!
//! Its name says which process made it. A shell that watches a pipe takes it down when the owner is gone
//! however it ended, and whatever survives even that is swept out by the next one.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail, ensure};

/// What names of namespaces begin with.
const PREFIX: &str = "trib-";
/// Networks of four addresses below 10.201.0.0 that are drawn from.
const NETWORKS: u32 = 1 << 14;
/// What a slow cable takes at once, in bytes.
const BURST_BYTES: u32 = 16 * 1024;
/// For so long a slow cable keeps packets before it drops them, in ms.
const QUEUE_MS: u32 = 400;

static MADE: AtomicU32 = AtomicU32::new(0);

/// A namespace with a cable. It ends when dropped, with every process in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    /// The cable's end outside and the one inside.
    outer: String,
    inner: String,
    host: Ipv4Addr,
    office: Ipv4Addr,
    guard: Child,
    pipe: Option<ChildStdin>,
}

/// Bytes on the cable, Ethernet headers and all, since it was laid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CableBytes {
    /// Into the office.
    pub down: u64,
    /// Out of it.
    pub up: u64,
}

/// Bytes of one TCP connection out of the namespace, as the kernel counts them at the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketBytes {
    /// Its port inside: names it.
    pub port: u16,
    /// Received.
    pub down: u64,
    /// Sent, each byte once.
    pub up: u64,
}

impl Namespace {
    /// Makes one, after those whose owners are gone have been swept out.
    pub fn make() -> Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "network namespaces need root: run this as root or in a container with CAP_NET_ADMIN"
        );
        sweep()?;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let pid = std::process::id();
        let name = format!("{PREFIX}{pid}-{}-{number}", born(pid).context("find the own age")?);
        let (outer, inner) = (format!("tb{pid:x}h{number}"), format!("tb{pid:x}o{number}"));
        let network = free_network(pid.wrapping_mul(64).wrapping_add(number))?;
        let [host, office] = [1, 2].map(|last| Ipv4Addr::from_bits(network + last));
        let (guard, pipe) = guard(&name)?;
        let namespace = Self { name, outer, inner, host, office, guard, pipe: Some(pipe) };
        namespace.lay_cable().context("make a network namespace")?;
        Ok(namespace)
    }

    fn lay_cable(&self) -> Result<()> {
        let Self { name, outer, inner, host, office, .. } = self;
        for line in [
            format!("netns add {name}"),
            format!("link add {outer} type veth peer name {inner} netns {name}"),
            format!("address add {host}/30 dev {outer}"),
            format!("-n {name} address add {office}/30 dev {inner}"),
            // As on a real cable no packet is larger than its frame.
            format!("link set {outer} gso_max_segs 1 up"),
            format!("-n {name} link set {inner} gso_max_segs 1 up"),
            format!("-n {name} link set lo up"),
            format!("-n {name} route add default via {host}"),
        ] {
            ip(&line)?;
        }
        Ok(())
    }

    /// The address of this machine at the cable, which those inside reach.
    pub fn host(&self) -> Ipv4Addr {
        self.host
    }

    /// The address of the office at the cable.
    pub fn office(&self) -> Ipv4Addr {
        self.office
    }

    /// A program and its arguments so that it runs inside; the process is that of the program.
    pub fn enter(&self, program: &Path, arguments: Vec<String>) -> (PathBuf, Vec<String>) {
        let mut inside = ["netns", "exec", &self.name].map(str::to_owned).to_vec();
        inside.push(program.display().to_string());
        inside.extend(arguments);
        (PathBuf::from("ip"), inside)
    }

    /// Nothing passes any more, and nobody is told so.
    pub fn cut(&self) -> Result<()> {
        self.rule("drop")
    }

    /// One packet in so many is lost at random, each way.
    pub fn lose_one_in(&self, packets: u32) -> Result<()> {
        self.rule(&format!("numgen random mod {packets} < 1 drop"))
    }

    /// Everything passes again.
    pub fn mend(&self) -> Result<()> {
        self.rule("accept")
    }

    /// What comes in at each end of the cable is treated so.
    fn rule(&self, rule: &str) -> Result<()> {
        let Self { name, outer, inner, .. } = self;
        let table = |device: &str| {
            format!(
                "add table netdev {name}\ndelete table netdev {name}\n\
                 table netdev {name} {{\n chain in {{\n\
                 type filter hook ingress device \"{device}\" priority 0\n{rule}\n}}\n}}\n"
            )
        };
        nft(&mut Command::new("nft"), &table(outer))?;
        nft(Command::new("ip").args(["netns", "exec", name, "nft"]), &table(inner))
    }

    /// The cable carries so much each way from now on, in kbit/s.
    pub fn limit(&self, kbit: u32) -> Result<()> {
        let shape = |device: &str| {
            format!(
                "qdisc replace dev {device} root tbf rate {kbit}kbit burst {BURST_BYTES} \
                 latency {QUEUE_MS}ms"
            )
        };
        run(Command::new("tc").args(shape(&self.outer).split_whitespace()))?;
        let inside = shape(&self.inner);
        run(Command::new("tc").args(["-n", &self.name]).args(inside.split_whitespace())).map(drop)
    }

    /// What the cable has carried.
    pub fn cable_bytes(&self) -> Result<CableBytes> {
        let count = |what: &str| -> Result<u64> {
            let path = format!("/sys/class/net/{}/statistics/{what}", self.outer);
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
            text.trim().parse().with_context(|| format!("read {path}"))
        };
        Ok(CableBytes { down: count("tx_bytes")?, up: count("rx_bytes")? })
    }

    /// What the TCP connections from inside to this port of the host have carried.
    pub fn socket_bytes(&self, port: u16) -> Result<Vec<SocketBytes>> {
        let peer = format!("{}:{port}", self.host);
        let mut ss = Command::new("ip");
        ss.args([
            "netns",
            "exec",
            &self.name,
            "ss",
            "-tinHO",
            "state",
            "established",
            "dst",
            &peer,
        ]);
        Ok(run(&mut ss)?.lines().filter_map(socket).collect())
    }
}

/// One line of `ss -tinHO`: `0 0 10.201.0.2:40000 10.201.0.1:7443 cubic … bytes_acked:7 bytes_received:9`.
fn socket(line: &str) -> Option<SocketBytes> {
    let local = line.split_whitespace().find(|word| word.contains(':'))?;
    let port = local.rsplit(':').next()?.parse().ok()?;
    let count = |key: &str| {
        let value = line.split_whitespace().find_map(|word| word.strip_prefix(key));
        value.map_or(Some(0), |value| value.parse().ok())
    };
    Some(SocketBytes { port, down: count("bytes_received:")?, up: count("bytes_acked:")? })
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.guard.wait();
    }
}

const TAKE_DOWN: &str = r#"
    for pid in $(ip netns pids "$NAMESPACE" 2>/dev/null); do kill -9 "$pid" 2>/dev/null; done
    ip netns delete "$NAMESPACE" 2>/dev/null
    nft delete table netdev "$NAMESPACE" 2>/dev/null
    exit 0
"#;

/// Takes a namespace down when the pipe's other end is closed.
fn guard(name: &str) -> Result<(Child, ChildStdin)> {
    use std::os::unix::process::CommandExt as _;
    let mut child = Command::new("sh")
        .args(["-c", &format!("trap '' INT TERM HUP; cat >/dev/null; {TAKE_DOWN}")])
        .env("NAMESPACE", name)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("start the guard (sh)")?;
    let pipe = child.stdin.take().context("the guard has no pipe")?;
    Ok((child, pipe))
}

/// Takes down what others have left behind who could not do it themselves.
fn sweep() -> Result<()> {
    let names = run(Command::new("ip").args(["netns", "list"])).context(
        "list network namespaces (install iproute2 and nftables: scripts/provision netns)",
    )?;
    for name in names.lines().filter_map(|line| line.split_whitespace().next()) {
        if name.starts_with(PREFIX) && !is_owned(name) {
            run(Command::new("sh").args(["-c", TAKE_DOWN]).env("NAMESPACE", name))?;
        }
    }
    Ok(())
}

/// True if the process that has made a namespace of this name is there still.
fn is_owned(name: &str) -> bool {
    let mut parts = name.trim_start_matches(PREFIX).split('-');
    let pid = parts.next().and_then(|pid| pid.parse().ok());
    let age = parts.next().and_then(|born| born.parse::<u64>().ok());
    pid.and_then(born).is_some_and(|born| Some(born) == age)
}

/// When a process was born, in clock ticks since boot; none if there is none of that id.
fn born(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may have anything in it: the 22nd field of all, proc_pid_stat(5).
    stat.rsplit(')').next()?.split_whitespace().nth(19)?.parse().ok()
}

/// A network of four addresses that no interface of this machine is in.
fn free_network(from: u32) -> Result<u32> {
    let taken = run(Command::new("ip").args(["-o", "-4", "address", "show"]))?;
    let networks = (0..NETWORKS).map(|step| {
        let index = from.wrapping_add(step) % NETWORKS;
        Ipv4Addr::new(10, 201, 0, 0).to_bits() + 4 * index
    });
    let is_free =
        |network: &u32| !taken.contains(&format!(" {}/", Ipv4Addr::from_bits(network + 1)));
    networks.into_iter().find(is_free).context("no free network below 10.201.0.0")
}

fn ip(words: &str) -> Result<String> {
    run(Command::new("ip").args(words.split_whitespace()))
}

fn nft(command: &mut Command, rules: &str) -> Result<()> {
    let mut child = command
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("start nft (install nftables: scripts/provision netns)")?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(rules.as_bytes()).context("tell nft")?;
    }
    let output = child.wait_with_output().context("wait for nft")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "nft refuses {rules:?}: {said}");
    Ok(())
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_count_of_a_socket_is_read() {
        let line = "0 0 10.201.0.2:40000 10.201.0.1:7443 cubic wscale:7,7 rto:204 bytes_sent:900 \
                    bytes_acked:700 bytes_received:9000 segs_out:5";
        assert_eq!(socket(line), Some(SocketBytes { port: 40_000, down: 9_000, up: 700 }));
        let fresh = "0 0 10.201.0.2:40001 10.201.0.1:7443 cubic wscale:7,7";
        assert_eq!(socket(fresh), Some(SocketBytes { port: 40_001, down: 0, up: 0 }));
        assert_eq!(socket(""), None);
    }

    #[test]
    fn a_namespace_belongs_to_who_has_made_it_as_long_as_that_lives() {
        let pid = std::process::id();
        let age = born(pid).unwrap();
        assert!(is_owned(&format!("{PREFIX}{pid}-{age}-0")));
        assert!(!is_owned(&format!("{PREFIX}{pid}-{}-0", age + 1)));
        assert!(!is_owned(&format!("{PREFIX}nobody")));
    }
}
