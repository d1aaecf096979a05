//! Where the flows play: a world with everything that it can talk to, and some people.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tributary_contracts::access::v1::{Share, ShareLink};
use tributary_contracts::notice::v1::{Notice, notice};
use tributary_contracts::terminal::v1::{CreateMeeting, RefusalCode};
use tributary_identifiers::MeetingId;
use tributary_terminal::protocol::RequestError;
use tributary_terminal::{Account, JoinError, Notices, Target, Terminal};

use crate::directory::{Directory, User};
use crate::peers::{MailServer, OidcServer};
use crate::postgres::PostgresServer;
use crate::{Database, Options, RelayOptions, Service, World, ports, wait};

/// What may take no longer, by the issue.
pub const AT_ONCE: Duration = Duration::from_secs(1);
/// How long to wait for what must come.
pub const DEADLINE: Duration = Duration::from_secs(15);
/// The password of all accounts; told to nobody.
const ACCOUNT_PASSWORD: &str = "canary-account-battery-staple";

/// Limits by address are raised, because everybody on the stage comes from one; those of a client and
/// of a meeting have their defaults.
const CONFIGURATION: &str = "
    [access_control]
    prefix_miss_limit = 100000
    prefix_guest_access_limit = 10000000
    [credential.limits]
    guests_per_hour = 100000
";

/// Somebody with an account, at the first relay.
pub struct Person {
    /// As administrators know them.
    pub user: User,
    /// Their terminal.
    pub terminal: Account,
}

/// A world, its peers and its people.
pub struct Stage {
    /// The services.
    pub world: World,
    /// Keeps access-control's data.
    pub postgres: PostgresServer,
    /// Takes mail.
    pub mail: MailServer,
    /// Knows people that the world does not know yet.
    pub oidc: OidcServer,
    /// By the interfaces of administrators and services.
    pub directory: Directory,
    /// Organises every meeting.
    pub ada: Person,
    /// Is made a member where a flow needs one.
    pub grace: Person,
    /// Has an account and is on no member list.
    pub linus: Person,
    /// What must be found in no log and no database.
    secrets: Vec<String>,
    guests: usize,
}

impl Stage {
    /// Starts everything.
    pub async fn set() -> Result<Self> {
        Self::set_in(None).await
    }

    /// Starts everything; data and logs are kept in `folder` if one is given.
    pub async fn set_in(folder: Option<PathBuf>) -> Result<Self> {
        let postgres = PostgresServer::start().await?;
        let database = Database::Postgres(postgres.database("access").await?);
        let mail = MailServer::start()?;
        let mut relays = Vec::new();
        for name in ["Office A", "Office B"] {
            relays.push(RelayOptions::at_port(name, ports::free()?.port()));
        }
        // The provider is told where the pages will be, and the services who the provider is.
        let pages: Vec<String> = relays
            .iter()
            .filter_map(|relay| Some(format!("http://127.0.0.1:{}/", relay.port?)))
            .collect();
        let oidc = OidcServer::start(&pages)?;
        let options = Options {
            relays,
            databases: vec![(Service::AccessControl, database)],
            oidc: Some(oidc.provider()),
            // Everything that the services might say by mistake.
            log: "info,tributary=debug".to_owned(),
            folder,
            ..Options::default()
        };
        let world =
            World::start(options.configured(CONFIGURATION)?.with_mail(mail.port())?).await?;
        let directory = world.directory()?;
        let mut people = Vec::new();
        for (user_name, display_name) in [("ada", "Ada"), ("grace", "Grace"), ("linus", "Linus")] {
            let user = directory.user(user_name, display_name, ACCOUNT_PASSWORD).await?;
            let terminal = log_in(&world, 0, &user).await?;
            people.push(Person { user, terminal });
        }
        let [ada, grace, linus] =
            people.try_into().map_err(|_| anyhow::anyhow!("three people were invited"))?;
        let secrets = vec![ACCOUNT_PASSWORD.to_owned()];
        Ok(Self { world, postgres, mail, oidc, directory, ada, grace, linus, secrets, guests: 0 })
    }

    /// Ends everything.
    pub async fn strike(self) -> Result<()> {
        self.world.end().await
    }

    /// Another terminal of somebody, at the relay with this index.
    pub async fn log_in(&self, relay: usize, user: &User) -> Result<Account> {
        log_in(&self.world, relay, user).await
    }

    /// A guest whom nobody has seen before, at the relay with this index.
    pub async fn guest(&mut self, relay: usize) -> Result<Account> {
        self.guests += 1;
        let url = self.world.relay_url(relay)?;
        let name = format!("Guest {}", self.guests);
        Account::guest(&url, &name).await.context("enter as a guest")
    }

    /// So many guests.
    pub async fn guests(&mut self, relay: usize, count: usize) -> Result<Vec<Account>> {
        let mut guests = Vec::with_capacity(count);
        for _ in 0..count {
            guests.push(self.guest(relay).await?);
        }
        Ok(guests)
    }

    /// A running meeting of Ada's that nobody else knows of.
    pub async fn meeting(&mut self, subject: &str) -> Result<MeetingId> {
        self.create(CreateMeeting { subject: subject.to_owned(), ..Default::default() }).await
    }

    /// The same, with a password of its own that is kept secret.
    pub async fn meeting_with_password(&mut self, subject: &str) -> Result<(MeetingId, String)> {
        let password = format!("canary-meeting-{:08x}", getrandom::u32().context("draw")?);
        self.keep_secret(&password);
        let meeting = CreateMeeting {
            subject: subject.to_owned(),
            password: password.clone(),
            ..Default::default()
        };
        Ok((self.create(meeting).await?, password))
    }

    /// A meeting of Ada's as it is described.
    pub async fn create(&mut self, meeting: CreateMeeting) -> Result<MeetingId> {
        let created =
            self.ada.terminal.create_meeting(meeting).await.context("create a meeting")?;
        created.meeting_id.parse().context("read the id of a new meeting")
    }

    /// Ada shares a meeting by a link.
    pub async fn share(&mut self, meeting: MeetingId) -> Result<(Share, ShareLink)> {
        let (share, link) =
            self.ada.terminal.share_link(meeting).await.context("share by a link")?;
        let target = Target::link(&link.url).context("read the link")?;
        ensure!(target.meeting_id == meeting, "the link is for {}", target.meeting_id);
        ensure!(link.text.contains(&link.url), "the invitation has no link in it");
        self.keep_secret(&target.share_secret);
        Ok((share, link))
    }

    /// A meeting that is shared by a link, and the way in by it.
    pub async fn shared_meeting(&mut self, subject: &str) -> Result<(MeetingId, Share, Target)> {
        let meeting = self.meeting(subject).await?;
        let (share, link) = self.share(meeting).await?;
        Ok((meeting, share, Target::link(&link.url).context("read the link")?))
    }

    /// From now on this is looked for in everything that the services have written.
    pub fn keep_secret(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    /// What is kept secret.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// An id that no meeting has.
    pub fn absent_meeting(&self) -> Result<MeetingId> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let random = getrandom::u32().context("draw an id")?;
        let version = tributary_identifiers::MeetingIdVersion::CURRENT;
        Ok(MeetingId::generate(version, random, u32::try_from(now)?))
    }
}

async fn log_in(world: &World, relay: usize, user: &User) -> Result<Account> {
    let url = world.relay_url(relay)?;
    let logged_in = Account::logged_in(&url, &user.user_name, &user.password).await;
    logged_in.with_context(|| format!("log in {}", user.user_name))
}

/// Comes into a meeting and goes again.
pub async fn visit(who: &Account, target: Target) -> Result<()> {
    let terminal = join(who, target).await?;
    terminal.leave().await;
    Ok(())
}

/// Comes into a meeting.
pub async fn join(who: &Account, target: Target) -> Result<Terminal> {
    Terminal::join(who.options(target)).await.context("join")
}

/// Fails unless the relay refused with this code.
pub fn refused<T>(answer: Result<T, RequestError>, expected: RefusalCode) -> Result<String> {
    match answer {
        Err(RequestError::Refused { code, message }) if code == expected => Ok(message),
        Err(other) => bail!("{} was expected: {other}", expected.as_str_name()),
        Ok(_) => bail!("{} was expected, and it was allowed", expected.as_str_name()),
    }
}

/// Fails unless neither reading nor joining is allowed.
pub async fn is_not_admitted(who: &Account, target: &Target) -> Result<()> {
    refused(who.read(target.clone()).await, RefusalCode::NotAdmitted).context("read")?;
    let credential = who.join_credential(target.clone()).await;
    refused(credential, RefusalCode::NotAdmitted).context("join")?;
    match Terminal::join(who.options(target.clone())).await {
        Err(error) if is_refusal(&error, RefusalCode::NotAdmitted) => Ok(()),
        Err(other) => bail!("a terminal was expected to be not admitted: {other}"),
        Ok(_) => bail!("a terminal came in"),
    }
}

fn is_refusal(error: &JoinError, expected: RefusalCode) -> bool {
    error.refusal() == Some(expected)
}

/// Asks as one after the other of `askers` until somebody is refused, and returns how long after
/// `since` that answer was there. Each asks a few times at most, far below any limit.
pub async fn until_refused(
    askers: &[Account],
    target: &Target,
    expected: RefusalCode,
    since: Instant,
) -> Result<Duration> {
    for asker in askers.iter().cycle() {
        match asker.read(target.clone()).await {
            Ok(_) => {}
            Err(RequestError::Refused { code, .. }) if code == expected => {
                return Ok(since.elapsed());
            }
            Err(other) => bail!("{} was expected: {other}", expected.as_str_name()),
        }
        ensure!(since.elapsed() < DEADLINE, "nobody is refused after {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("there is nobody to ask")
}

/// Milliseconds for the report; fails if it took longer than the issue allows.
pub fn at_once(what: &str, took: Duration) -> Result<u64> {
    ensure!(took <= AT_ONCE, "{what} took {} ms", took.as_millis());
    Ok(u64::try_from(took.as_millis())?)
}

/// Waits until a user is told about a meeting, among what was there already or newly.
pub async fn told_of(notices: &mut Notices, meeting: MeetingId) -> Result<Notice> {
    let about = |notice: &Notice| notice.meeting_id == meeting.to_string();
    if let Some(notice) = notices.listed().iter().find(|notice| about(notice)) {
        return Ok(notice.clone());
    }
    let waiting = async {
        while let Some(notice) = notices.next().await {
            if about(&notice) {
                return Ok(notice);
            }
        }
        bail!("the connection ended before the notice came")
    };
    tokio::time::timeout(DEADLINE, waiting).await.context("the notice has not come")?
}

/// The kind of a notice.
pub fn kind_of(notice: &Notice) -> Result<&notice::Kind> {
    notice.kind.as_ref().context("a notice has a kind")
}

/// Waits until an answer is there and holds.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    ask: impl FnMut() -> F,
) -> Result<T> {
    wait::until_some(what, DEADLINE, ask).await
}
