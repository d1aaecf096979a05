//! Everything that can be done, in long mixed sequences: what the database has and says is what the
//! state machine in memory has and says. Each step reads the part of the state that it needs anew.

use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    Act, AttendanceReport, Caller, Command, Counters, Event, Join, Leave, LeaveReason,
    OfflineReason, Operated as Outcome, Operation, Patience, Presence, RelayPath, RemoveMembers,
    Role, Roster, SetMembers, SetReachable, State, Update,
};
use tributary_meeting_registry_server::{Operated, Received, StoreError};
use tributary_message_bus::subjects::MeetingScope;

use crate::{Base, join, on_both, session};

on_both!(a_mixed_sequence_is_stored_as_it_happened);

const STEPS: u64 = 400;

/// Numbers that look random and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        // The constants of Knuth's MMIX.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    fn id(&mut self) -> ParticipantId {
        ParticipantId(u32::try_from(self.below(8)).unwrap())
    }

    fn ids(&mut self) -> Vec<ParticipantId> {
        (0..self.below(3)).map(|_| self.id()).collect()
    }

    fn presence(&mut self) -> Presence {
        match self.below(5) {
            0 => Presence::Away,
            1 => Presence::Offline(OfflineReason::Unsaid),
            2 => Presence::Offline(OfflineReason::Interrupted),
            3 => Presence::Offline(OfflineReason::OtherMeeting),
            _ => Presence::Online,
        }
    }

    fn act(&mut self) -> Act {
        match self.below(19) {
            0 => Act::SetMuted(self.flag()),
            1 | 2 => Act::SetHand(self.flag()),
            3 => Act::CheckIn,
            4 => Act::SendChat { text: "hello".into(), to: self.ids() },
            5 | 6 => Act::SetPresence(self.presence()),
            7 | 8 => Act::TalkTo(self.ids()),
            9 => Act::SetName(format!("Name {}", self.below(3))),
            10 => Act::MuteParticipant(self.id()),
            11 => Act::AskToUnmute(self.id()),
            12 if self.below(3) == 0 => Act::RemoveParticipant(self.id()),
            12 | 13 => Act::SetLocked(self.below(3) == 0),
            14 => Act::AnswerLobby { participant: self.id(), admitted: self.flag() },
            15 => Act::SetHost { participant: self.id(), host: self.flag() },
            16 => Act::SetSpotlight(Some(self.id()).filter(|id| id.0 > 0)),
            17 => Act::LowerHand(Some(self.id()).filter(|id| id.0 > 0)),
            _ => Act::Unknown,
        }
    }

    fn command(&mut self) -> Command {
        let number = |value: u64| u32::try_from(value).unwrap();
        let by = Caller::User("ann".parse().unwrap());
        let user = |who: u64| format!("user-{who}").parse().unwrap();
        match self.below(13) {
            10..=12 => {
                let participants = self.ids().into_iter().filter(|id| id.0 > 0).collect();
                let relay_session = session(number(self.below(2)));
                let reachable = self.flag();
                Command::SetReachable(SetReachable { participants, relay_session, reachable })
            }
            0 | 1 => {
                let reason = LeaveReason::TerminalLost;
                let (participant, silent) = (self.id(), self.below(3) * 700);
                let relay_session = session(number(self.below(2)));
                Command::Leave(Leave { participant, relay_session, reason, silent })
            }
            2 if self.below(3) == 0 => {
                let relay_session = session(number(self.below(2)));
                Command::RelayLost { relay_session, silent: 900 }
            }
            3 => {
                let (subject, starts_at, password) = (None, None, None);
                let lobby = Some(self.flag());
                Command::Update(Update { by, subject, starts_at, lobby, password })
            }
            4 => {
                let role = if self.flag() { Role::Host } else { Role::Member };
                let members = [(user(self.below(6)), role)].into();
                Command::SetMembers(SetMembers { by, by_name: None, members })
            }
            5 => {
                let members = [user(self.below(6))].into();
                Command::RemoveMembers(RemoveMembers { by, members })
            }
            _ => Command::Join(self.join()),
        }
    }

    fn join(&mut self) -> Join {
        let number = |value: u64| u32::try_from(value).unwrap();
        let mut join = join(number(self.below(6)), number(self.below(2)));
        if join.user_id.as_str() == "user-0" {
            join.user_id = "ann".parse().unwrap();
        } else if self.below(6) == 0 {
            join.user_id = "user-9".parse().unwrap();
        }
        if self.below(5) == 0 {
            join.session = "another".parse().unwrap();
        }
        (join.held, join.muted) = (self.below(4) == 0, self.flag());
        (join.relay_depth, join.relay_itself) = (number(self.below(3)), self.flag());
        // Known of some.
        if join.muted {
            let names = vec![join.relay_name.clone(); join.relay_depth as usize];
            join.relay_path = RelayPath::new(&join.relay_name, join.relay_depth, names).unwrap();
            join.core_relay = Some("core-1".parse().unwrap());
        }
        join
    }
}

/// The meeting in memory.
struct Memory {
    state: State,
    report: AttendanceReport,
    events: u64,
}

impl Memory {
    fn take(&mut self, events: &[Event]) {
        self.events += events.len() as u64;
        for event in events {
            self.report.take(event);
        }
    }

    fn roster(&self) -> Roster {
        let present = self.state.participants().map(|one| one.participant.clone());
        let talks = self.state.participants().map(|one| (one.participant.id, one.talk.clone()));
        Roster::at(self.events, false, present).with_state(self.state.floor()).with_talks(talks)
    }
}

async fn command(base: &Base, meeting: &MeetingScope, memory: &mut Memory, command: Command) {
    let expected = memory.state.apply(command.clone(), base.now());
    match base.store.apply(meeting, command.clone(), base.now()).await {
        Ok(applied) => {
            assert_eq!(Ok(&applied.events), expected.as_ref(), "{command:?}");
            memory.take(&applied.events);
        }
        Err(StoreError::Refused(refusal)) => assert_eq!(Err(refusal), expected, "{command:?}"),
        Err(error) => panic!("{error}"),
    }
}

async fn operation(
    base: &Base,
    meeting: &MeetingScope,
    memory: &mut Memory,
    numbers: &mut Numbers,
    step: u64,
) {
    let participant = numbers.id();
    let Some(place) = memory.state.place(participant) else { return };
    let operation = Operation {
        id: format!("op-{step}").parse().unwrap(),
        sequence: place.last_sequence + 1,
        session: place.session.clone(),
        participant,
        not_after: base.now() + 1_000,
        act: numbers.act(),
    };
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&step.to_be_bytes());
    let received = Received { key: place.key.clone(), operation, hash };
    let expected = memory.state.operate(&received.operation, Patience::Wait, base.now());
    let Outcome::Answered(expected) = expected else { panic!("{expected:?}") };
    let found = base.store.operate(meeting, &received, Patience::Wait, base.now()).await.unwrap();
    assert_eq!(found, Operated::Answered(expected.clone()), "{received:?}");
    memory.take(&expected);
}

async fn a_mixed_sequence_is_stored_as_it_happened(base: Base) {
    let meeting = base.meeting().await;
    let ann = [("ann".parse().unwrap(), Role::Organiser)];
    let stored = base.store.meeting(&meeting).await.unwrap();
    let state = State::new(stored, Counters::default(), []).with_members(ann);
    let mut memory = Memory { state, report: AttendanceReport::default(), events: 0 };
    let mut numbers = Numbers(42);
    for step in 0..STEPS {
        base.pass(std::time::Duration::from_millis(numbers.below(500)));
        if step < 4 || numbers.below(4) == 0 {
            let next = if step < 4 { Command::Join(numbers.join()) } else { numbers.command() };
            command(&base, &meeting, &mut memory, next).await;
        } else {
            operation(&base, &meeting, &mut memory, &mut numbers, step).await;
        }
        if step % 10 == 0 {
            assert_eq!(base.store.roster(&meeting).await.unwrap().1, memory.roster(), "{step}");
        }
    }
    let base = base.restart().await;
    let (found, roster) = base.store.roster(&meeting).await.unwrap();
    assert_eq!((&found, &roster), (memory.state.meeting(), &memory.roster()));
    assert!(memory.events > STEPS / 2, "{}", memory.events);
    let (_, report) = base.store.attendance(&meeting).await.unwrap();
    assert_eq!(report, memory.report);
}
